import type * as fallback from '../../fallback.js';
import { type KernelTable, OwnKernels } from '../../own-kernels.js';
import * as tf from '../../tf.js';
import type { TorchBackend } from '../backend.js';

export type KernelCall = fallback.KernelCall<TorchBackend>;
export type KernelImplementation = fallback.KernelImplementation<TorchBackend>;
export type Kernels = KernelTable<TorchBackend>;

/** The kernels of the backend `torch`. */
export const ownKernels = new OwnKernels<TorchBackend>('torch', { numbersOnly: true });

export const register = ownKernels.register.bind(ownKernels);
export const runOnCpu = ownKernels.runPlain.bind(ownKernels);

/** Axes as tfjs gives them, none negative, ascending. */
export function parseAxes(axis: number | number[] | undefined, shape: number[]): number[] {
  return tf.util.parseAxisParam(axis as number | number[], shape).sort((a, b) => a - b);
}
