import * as tf from '../../tf.js';
import type { WasmBackend } from '../backend.js';
import { fill, GRAIN } from './elementwise.js';
import { movable, shiftOf } from './movement.js';
import { type KernelCall, register, runOnCpu } from './register.js';

function gather(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { backend, inputs, attrs } = call;
  const x = inputs.x as tf.TensorInfo;
  const indices = inputs.indices as tf.TensorInfo;
  const batchDims = (attrs.batchDims as number | undefined) ?? 0;
  if (batchDims !== 0 || indices.dtype !== 'int32' || !movable(x)) return runOnCpu('GatherV2', call);
  const axis = tf.util.parseAxisParam((attrs.axis as number | undefined) ?? 0, x.shape)[0] as number;
  const rows = x.shape[axis] as number;
  for (const index of backend.view(indices)) {
    if (index < 0 || index >= rows) throw new Error(`gather: index ${index} is not in [0, ${rows - 1}]`);
  }
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  const out = backend.makeOutput(shape, x.dtype);
  const count = tf.util.sizeFromShape(indices.shape);
  const outer = tf.util.sizeFromShape(x.shape.slice(0, axis));
  const rowBytes = tf.util.sizeFromShape(x.shape.slice(axis + 1)) * 2 ** shiftOf(x.dtype);
  const pointers = [x, indices, out].map((tensor) => backend.pointer(tensor));
  const { runtime } = backend;
  const grain = Math.ceil((4 * GRAIN) / Math.max(1, rowBytes));
  runtime.run(runtime.kernel('gatherRows'), [...pointers, rowBytes, rows, count], outer * count, grain);
  return out;
}

/** out[ids[i], :] += rows[i, :], from zero: rows [n, columns] → [segments, columns]. */
function addRows(
  backend: WasmBackend,
  rows: tf.TensorInfo,
  ids: tf.TensorInfo,
  count: number,
  out: tf.TensorInfo,
): tf.TensorInfo {
  const columns = tf.util.sizeFromShape(out.shape.slice(1));
  const pointers = [rows, ids, out].map((tensor) => backend.pointer(tensor));
  const { runtime } = backend;
  const grain = Math.ceil(GRAIN / (16 * Math.max(1, count)));
  const args = [...pointers, count, columns, out.shape[0] as number];
  runtime.run(runtime.kernel('segmentSum'), args, Math.ceil(columns / 16), grain);
  return out;
}

function segmentSum(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { backend } = call;
  const { x, segmentIds } = call.inputs as Record<'x' | 'segmentIds', tf.TensorInfo>;
  if (x.dtype !== 'float32' || segmentIds.dtype !== 'int32' || segmentIds.shape.length !== 1) {
    return runOnCpu('UnsortedSegmentSum', call);
  }
  const shape = [call.attrs.numSegments as number, ...x.shape.slice(1)];
  return addRows(backend, x, segmentIds, x.shape[0] as number, fill(backend, shape, 'float32', 0));
}

function scatterNd(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { backend } = call;
  const { indices, updates } = call.inputs as Record<'indices' | 'updates', tf.TensorInfo>;
  const shape = call.attrs.shape as number[];
  const isRows = indices.shape.at(-1) === 1 && indices.dtype === 'int32' && updates.dtype === 'float32';
  if (!isRows) return runOnCpu('ScatterNd', call);
  for (const index of backend.view(indices)) {
    if (index < 0 || index >= (shape[0] as number)) {
      throw new Error(`scatterND: index ${index} is not in [0, ${(shape[0] as number) - 1}]`);
    }
  }
  const count = tf.util.sizeFromShape(indices.shape);
  return addRows(backend, updates, indices, count, fill(backend, shape, 'float32', 0));
}

function oneHot(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { backend, attrs } = call;
  const indices = call.inputs.indices as tf.TensorInfo;
  const { depth, onValue, offValue } = attrs as { depth: number; onValue: number; offValue: number };
  const dtype = (attrs.dtype as tf.DataType | undefined) ?? 'int32';
  if (indices.dtype !== 'int32' || !movable({ ...indices, dtype })) return runOnCpu('OneHot', call);
  const out = fill(backend, [...indices.shape, depth], dtype, offValue);
  const values = backend.view(out);
  for (const [row, index] of backend.view(indices).entries()) {
    if (index >= 0 && index < depth) values[row * depth + index] = onValue;
  }
  return out;
}

/** Kernels that find rows by index. An index outside of its range is an error. */
export function registerIndexing(): void {
  register('GatherV2', gather);
  register('UnsortedSegmentSum', segmentSum);
  register('ScatterNd', scatterNd);
  register('OneHot', oneHot);
}
