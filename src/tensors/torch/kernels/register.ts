import type * as fallback from '../../fallback.js';
import * as tf from '../../tf.js';
import type { TorchBackend } from '../backend.js';

/** The name under which the backend and its kernels are registered. */
export const BACKEND_NAME = 'torch';

export type KernelCall = fallback.KernelCall<TorchBackend>;
export type KernelImplementation = fallback.KernelImplementation<TorchBackend>;

/** Registers a kernel for the torch backend. */
export function register(kernelName: string, implementation: KernelImplementation): void {
  tf.registerKernel({
    kernelName,
    backendName: BACKEND_NAME,
    kernelFunc: implementation as unknown as tf.KernelFunc,
  });
}

/** Axes as tfjs gives them, none negative, ascending. */
export function parseAxes(axis: number | number[] | undefined, shape: number[]): number[] {
  return tf.util.parseAxisParam(axis as number | number[], shape).sort((a, b) => a - b);
}
