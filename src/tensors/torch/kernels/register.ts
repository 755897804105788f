import * as fallback from '../../fallback.js';
import * as tf from '../../tf.js';
import type { TorchBackend } from '../backend.js';

/** The name under which the backend and its kernels are registered. */
export const BACKEND_NAME = 'torch';

export type KernelCall = fallback.KernelCall<TorchBackend>;
export type KernelImplementation = fallback.KernelImplementation<TorchBackend>;

/** Kernels of tfjs's `cpu` backend, on tensors brought to the host. */
export const fallbacks = new Map<string, KernelImplementation>();

/** Registers a kernel for the torch backend; strings and complex numbers go to the plain one. */
export function register(kernelName: string, implementation: KernelImplementation): void {
  const run: KernelImplementation = (call) => {
    const plain = fallback.isNumeric(call.inputs) ? undefined : fallbacks.get(kernelName);
    return (plain ?? implementation)(call);
  };
  tf.registerKernel({ kernelName, backendName: BACKEND_NAME, kernelFunc: run as unknown as tf.KernelFunc });
}

/** Axes as tfjs gives them, none negative, ascending. */
export function parseAxes(axis: number | number[] | undefined, shape: number[]): number[] {
  return tf.util.parseAxisParam(axis as number | number[], shape).sort((a, b) => a - b);
}
