import type * as fallback from '../../fallback.js';
import * as tf from '../../tf.js';
import type { WasmBackend } from '../backend.js';

/** The name under which the backend and its kernels are registered. */
export const BACKEND_NAME = 'wasm';

export type KernelCall = fallback.KernelCall<WasmBackend>;
export type KernelImplementation = fallback.KernelImplementation<WasmBackend>;

/** What is run when a kernel of ours does not cover the case at hand, such as an unusual dtype. */
export function runOnCpu(name: string, call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const kernel = fallbacks.get(name);
  if (!kernel) throw new Error(`wasm backend: kernel ${name} has no plain implementation for these inputs`);
  return kernel(call);
}

/** Kernels of tfjs's `cpu` backend, adapted to our memory. */
export const fallbacks = new Map<string, KernelImplementation>();

/** Registers a kernel for the wasm backend. */
export function register(kernelName: string, implementation: KernelImplementation): void {
  tf.registerKernel({
    kernelName,
    backendName: BACKEND_NAME,
    kernelFunc: implementation as unknown as tf.KernelFunc,
  });
}
