import * as tf from '../../tf.js';
import type { WasmBackend } from '../backend.js';

/** The name under which the backend and its kernels are registered. */
export const BACKEND_NAME = 'wasm';

/** One call of a kernel, with the inputs already known to be present. */
export interface KernelCall {
  inputs: Record<string, tf.TensorInfo>;
  attrs: Record<string, unknown>;
  backend: WasmBackend;
}

/** A kernel of ours. */
export type KernelImplementation = (call: KernelCall) => tf.TensorInfo | tf.TensorInfo[];

/** What is run when a kernel of ours does not cover the case at hand, such as an unusual dtype. */
export function runOnCpu(name: string, call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const fallback = fallbacks.get(name);
  if (!fallback) throw new Error(`wasm backend: kernel ${name} has no plain implementation for these inputs`);
  return fallback(call);
}

/** Kernels of tfjs's `cpu` backend, adapted to our memory: see fallback.ts. */
export const fallbacks = new Map<string, KernelImplementation>();

/** Registers a kernel for the wasm backend. */
export function register(kernelName: string, implementation: KernelImplementation): void {
  tf.registerKernel({
    kernelName,
    backendName: BACKEND_NAME,
    kernelFunc: implementation as unknown as tf.KernelFunc,
  });
}
