import * as tf from '../../tf.js';
import { widenedRows } from '../widen.js';
import { isPlain, moveByNumbers } from './move.js';
import { type KernelCall, type Kernels, runTfjs } from './register.js';

/** Indices that the host knows are checked: a kernel reads nothing outside, and says nothing. */
function gather(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { inputs, attrs, backend } = call;
  const { x, indices } = inputs as Record<'x' | 'indices', tf.TensorInfo>;
  const { axis, batchDims } = attrs as { axis: number; batchDims: number };
  const at = axis < 0 ? axis + x.shape.length : axis;
  const rows = x.shape[at] as number;
  for (const index of (backend.hostValues(indices) as Int32Array | undefined) ?? []) {
    if (index < 0 || index >= rows) throw new Error(`gather: index ${index} is not in [0, ${rows - 1}]`);
  }
  if (batchDims !== 0 || !isPlain(x) || indices.dtype !== 'int32') return runTfjs('GatherV2', call);
  const [before, after] = [x.shape.slice(0, at), x.shape.slice(at + 1)];
  if (at === 0 && backend.floatType(x) !== 'float32') {
    return widenedRows(backend, x, indices, [...indices.shape, ...after]);
  }
  const out = backend.makeOutput([...before, ...indices.shape, ...after], x.dtype);
  const sizes = [before, [rows], after].map((shape) => tf.util.sizeFromShape(shape));
  moveByNumbers(backend, x, indices, out, sizes as [number, number, number]);
  return out;
}

export const kernels: Kernels = { GatherV2: gather };
