import type * as fallback from '../../fallback.js';
import type { KernelTable } from '../../own-kernels.js';
import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';

export type KernelCall = fallback.KernelCall<WebGpuBackend>;
export type KernelImplementation = fallback.KernelImplementation<WebGpuBackend>;
export type Kernels = KernelTable<WebGpuBackend>;

/** tfjs's kernels in whose place ours are, for the cases that ours do not cover. */
export const replaced = new Map<string, KernelImplementation>();

/** Runs tfjs's kernel of a name. */
export function runTfjs(name: string, call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const kernel =
    replaced.get(name) ??
    (tf.getKernel(name, 'webgpu')?.kernelFunc as unknown as KernelImplementation | undefined);
  if (kernel) return kernel(call);
  throw new Error(`webgpu: there is no kernel ${name}`);
}

/** Lanes of a workgroup, as in `prelude.wgsl`. */
const LANES = 64;

/** Workgroups for programs of which each invocation makes one element. */
export const elementGroups = (elements: number): number => Math.ceil(elements / LANES);
