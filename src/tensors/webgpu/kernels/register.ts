import type * as fallback from '../../fallback.js';
import type { KernelTable } from '../../own-kernels.js';
import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';

export type KernelCall = fallback.KernelCall<WebGpuBackend>;
export type KernelImplementation = fallback.KernelImplementation<WebGpuBackend>;
export type Kernels = KernelTable<WebGpuBackend>;

/** tfjs's kernels in whose place ours are, for the cases that ours do not cover. */
export const replaced = new Map<string, KernelImplementation>();

/** Kernels that tfjs computes on the host where that has all numbers and they are few. */
const ON_HOST: ReadonlySet<string> = new Set([
  'Abs',
  'Add',
  'Concat',
  'Equal',
  'Greater',
  'GreaterEqual',
  'Less',
  'LessEqual',
  'Maximum',
  'Minimum',
  'Multiply',
  'Neg',
  'NotEqual',
  'Slice',
  'StridedSlice',
  'Sub',
  'Tile',
  'Transpose',
]);

/** Whether tfjs computes a kernel on the host, exactly and without a command. */
export const isOnHost = (backend: WebGpuBackend, name: string, tensors: readonly tf.TensorInfo[]): boolean =>
  ON_HOST.has(name) && backend.shouldExecuteOnCPU(tensors);

/** Runs tfjs's kernel of a name. */
export function runTfjs(name: string, call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const kernel =
    replaced.get(name) ??
    (tf.getKernel(name, 'webgpu')?.kernelFunc as unknown as KernelImplementation | undefined);
  if (kernel) return kernel(call);
  throw new Error(`webgpu: there is no kernel ${name}`);
}
