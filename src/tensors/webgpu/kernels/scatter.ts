import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';
import { type Program, programFor } from '../program.js';
import { kernels as integers } from './arithmetic.js';
import { reduceIntegers } from './integer-reductions.js';
import { isPlain, move, moveByNumbers } from './move.js';
import { type KernelCall, type Kernels, runTfjs } from './register.js';
import code from './scatter.wgsl';

const link: Program = {
  name: 'scatter links',
  code: `alias Value = f32;\n${code}`,
  buffers: 'rw',
  over: 'elements',
  entry: 'link',
};

const scatters = programFor((key: number): Program => {
  const [type, last] = [key & 1 ? 'i32' : 'f32', key >> 1];
  return {
    name: 'scatter',
    code: `alias Value = ${type};\n${code}`,
    buffers: 'rwrw',
    over: 'elements',
    entry: 'add',
    constants: { LAST: last },
  };
});

/** Writes the rows of `updates` [n, width] into `out` [targets, width] by their index, int32 [n]: their sum or the last. */
function writeByIndex(
  backend: WebGpuBackend,
  indices: tf.TensorInfo,
  updates: tf.TensorInfo,
  out: tf.TensorInfo,
  [n, width, targets]: [number, number, number],
  last = false,
): void {
  if (targets * width * n === 0) return;
  const links = backend.makeOutput([n, 2], 'int32');
  const add = scatters(Number(updates.dtype !== 'float32') | (Number(last) << 1));
  backend.run(link, [indices, links], [n, n, width, targets], []);
  backend.run(add, [indices, links, updates, out], [n * width, n, width, targets], []);
  backend.disposeData(links.dataId);
}

/** Zeros, to which rows are added. */
function zeros(backend: WebGpuBackend, shape: number[], dtype: tf.DataType): tf.TensorInfo {
  const out = backend.makeOutput(shape, dtype);
  if (tf.util.sizeFromShape(shape) > 0) backend.clear(out);
  return out;
}

/** Indices [n, depth] into the first dimensions of a shape as numbers of rows, int32 [n]. */
function rowNumbers(
  backend: WebGpuBackend,
  indices: tf.TensorInfo,
  [n, depth]: [number, number],
  strides: number[],
): tf.TensorInfo {
  const factors = backend.makeTensorInfo([depth], 'int32', Int32Array.from(strides));
  const inputs = { a: { ...indices, shape: [n, depth] }, b: factors };
  const products = integers.Multiply!({ inputs, attrs: {}, backend }) as tf.TensorInfo;
  const numbers = reduceIntegers('Sum', {
    inputs: { x: products },
    attrs: { axis: [1], keepDims: false },
    backend,
  });
  for (const { dataId } of [factors, products]) backend.disposeData(dataId);
  return numbers;
}

function scatterNd(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { backend } = call;
  const { indices, updates } = call.inputs as Record<'indices' | 'updates', tf.TensorInfo>;
  const { shape } = call.attrs as { shape: number[] };
  if (!isPlain(updates) || indices.dtype !== 'int32') return runTfjs('ScatterNd', call);
  const out = zeros(backend, shape, updates.dtype);
  writeRows(backend, indices, updates, out, false);
  return out;
}

/** Adds rows to a tensor, or puts them there, by indices into its first dimensions. */
function writeRows(
  backend: WebGpuBackend,
  indices: tf.TensorInfo,
  updates: tf.TensorInfo,
  out: tf.TensorInfo,
  last: boolean,
): void {
  const { sliceRank, numUpdates, sliceSize, strides, outputSize } = tf.backend_util.calculateShapes(
    updates as tf.Tensor,
    indices as tf.Tensor,
    out.shape,
  );
  if (outputSize === 0) return;
  const numbers = sliceRank === 1 ? indices : rowNumbers(backend, indices, [numUpdates, sliceRank], strides);
  const sizes = [numUpdates, sliceSize, outputSize / sliceSize] as [number, number, number];
  writeByIndex(backend, numbers, updates, out, sizes, last);
  if (numbers !== indices) backend.disposeData(numbers.dataId);
}

function tensorScatterUpdate(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { backend } = call;
  const { tensor, indices, updates } = call.inputs as Record<'tensor' | 'indices' | 'updates', tf.TensorInfo>;
  if (!isPlain(tensor) || tensor.dtype !== updates.dtype || indices.dtype !== 'int32') {
    return runTfjs('TensorScatterUpdate', call);
  }
  const out = backend.makeOutput(tensor.shape, tensor.dtype);
  const size = tf.util.sizeFromShape(tensor.shape);
  move(backend, tensor, out, { shape: [size], reads: [1], writes: [1] });
  writeRows(backend, indices, updates, out, true);
  return out;
}

function gatherNd(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { backend } = call;
  const { params, indices } = call.inputs as Record<'params' | 'indices', tf.TensorInfo>;
  if (!isPlain(params) || indices.dtype !== 'int32') return runTfjs('GatherNd', call);
  const [shape, n, inner, strides] = tf.backend_util.prepareAndValidate(
    params as tf.Tensor,
    indices as tf.Tensor,
  );
  const depth = indices.shape.at(-1) as number;
  const numbers = rowNumbers(backend, indices, [n, depth], strides);
  const out = backend.makeOutput(shape, params.dtype);
  const rows = tf.util.sizeFromShape(params.shape) / Math.max(1, inner);
  moveByNumbers(backend, params, numbers, out, [1, rows, inner]);
  backend.disposeData(numbers.dataId);
  return out;
}

function unsortedSegmentSum(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { x, segmentIds } = call.inputs as Record<'x' | 'segmentIds', tf.TensorInfo>;
  const { numSegments } = call.attrs as { numSegments: number };
  if (!isPlain(x) || segmentIds.shape.length !== 1) return runTfjs('UnsortedSegmentSum', call);
  const [n, ...rest] = x.shape as [number, ...number[]];
  const out = zeros(call.backend, [numSegments, ...rest], x.dtype);
  writeByIndex(call.backend, segmentIds, x, out, [n, tf.util.sizeFromShape(rest), numSegments]);
  return out;
}

export const kernels: Kernels = {
  GatherNd: gatherNd,
  ScatterNd: scatterNd,
  TensorScatterUpdate: tensorScatterUpdate,
  UnsortedSegmentSum: unsortedSegmentSum,
};
