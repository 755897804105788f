import * as tf from '../../tf.js';
import type { Program } from '../program.js';
import code from './gather.wgsl';
import { elementGroups, type KernelCall, type Kernels, runTfjs } from './register.js';

const program: Program = { name: 'GatherV2', code, buffers: 'rrw' };

/**
 * Indices that the host knows are checked: a kernel reads nothing outside, and says nothing. tfjs's kernel moves integers
 * as floating-point numbers, which have 24 bits: names of dropout have 32.
 */
function gather(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { inputs, attrs, backend } = call;
  const { x, indices } = inputs as Record<'x' | 'indices', tf.TensorInfo>;
  const { axis, batchDims } = attrs as { axis: number; batchDims: number };
  const at = axis < 0 ? axis + x.shape.length : axis;
  const rows = x.shape[at] as number;
  for (const index of (backend.hostValues(indices) as Int32Array | undefined) ?? []) {
    if (index < 0 || index >= rows) throw new Error(`gather: index ${index} is not in [0, ${rows - 1}]`);
  }
  const isFourBytes = x.dtype === 'float32' || x.dtype === 'int32';
  if (batchDims !== 0 || !isFourBytes || indices.dtype !== 'int32') return runTfjs('GatherV2', call);
  const out = backend.makeOutput(
    [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)],
    x.dtype,
  );
  const size = tf.util.sizeFromShape(out.shape);
  const inner = tf.util.sizeFromShape(x.shape.slice(at + 1));
  const asked = tf.util.sizeFromShape(indices.shape);
  backend.run(program, [x, indices, out], [size, rows, asked, inner], [], elementGroups(size));
  return out;
}

export const kernels: Kernels = { GatherV2: gather };
