import type * as tf from '../../tf.js';
import { type KernelCall, type Kernels, runTfjs } from './register.js';

/** tfjs's kernel, after a check of indices that the host knows: a kernel reads nothing outside, and says nothing. */
function gather(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { x, indices } = call.inputs as Record<'x' | 'indices', tf.TensorInfo>;
  const { axis } = call.attrs as { axis: number };
  const size = x.shape.at(axis) as number;
  for (const index of (call.backend.hostValues(indices) as Int32Array | undefined) ?? []) {
    if (index < 0 || index >= size) throw new Error(`gather: index ${index} is not in [0, ${size - 1}]`);
  }
  return runTfjs('GatherV2', call);
}

export const kernels: Kernels = { GatherV2: gather };
