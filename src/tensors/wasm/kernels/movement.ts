import { stridesOf } from '../../strides.js';
import * as tf from '../../tf.js';
import type { WasmBackend } from '../backend.js';
import { fill, GRAIN } from './elementwise.js';
import { type KernelCall, register, runOnCpu } from './register.js';
import { collapse, outerTable, stepsOf } from './strides.js';

/** Whether all tensors can be moved by bytes. */
export function movable(...tensors: tf.TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype !== 'string' && dtype !== 'complex64');
}

/** log₂ of an element's bytes. */
export function shiftOf(dtype: tf.DataType): number {
  return dtype === 'bool' ? 0 : 2;
}

/** Copies a `shape`-sized box between strided places; offsets and strides in elements. */
function copyBox(
  backend: WasmBackend,
  shape: readonly number[],
  from: { tensor: tf.TensorInfo; offset: number; strides: readonly number[] },
  to: { tensor: tf.TensorInfo; offset: number; strides: readonly number[] },
): void {
  if (tf.util.sizeFromShape(shape as number[]) === 0) return;
  const shift = shiftOf(from.tensor.dtype);
  const axes = collapse(shape, [from.strides, to.strides]);
  const source = backend.pointer(from.tensor) + from.offset * 2 ** shift;
  const destination = backend.pointer(to.tensor) + to.offset * 2 ** shift;
  const { runtime } = backend;
  if (isPlainTranspose(axes) && shift === 2) {
    const [batch, m, n] = transposeSizes(axes);
    const args = [source, destination, m, n];
    runtime.run(runtime.kernel('transpose2d'), args, batch * Math.ceil(n / 4), Math.ceil(GRAIN / (4 * m)));
    return;
  }
  let inner = axes.pop() ?? { dimension: 1, strides: [1, 1] };
  let rows = axes;
  if (axes.length === 0 && inner.dimension > 4 * GRAIN) {
    // one long run: cut it, so that threads share it
    const cut = {
      dimension: Math.floor(inner.dimension / GRAIN),
      strides: inner.strides.map((s) => s * GRAIN),
    };
    const rest = inner.dimension % GRAIN;
    if (rest === 0) {
      rows = [cut];
      inner = { dimension: GRAIN, strides: inner.strides };
    }
  }
  const table = runtime.table(outerTable(rows));
  const args = [source, destination, inner.dimension, ...inner.strides, shift, rows.length, table];
  runtime.run(runtime.kernel('copyStrided'), args, stepsOf(rows), Math.ceil(GRAIN / inner.dimension));
}

type Axes = ReturnType<typeof collapse>;

/** Whether axes are [batch,] n, m of an output whose source is [batch,] m, n. */
function isPlainTranspose(axes: Axes): boolean {
  const [n, m] = axes.slice(-2);
  if (axes.length < 2 || axes.length > 3 || !n || !m) return false;
  const plain =
    n.strides[0] === 1 && m.strides[0] === n.dimension && m.strides[1] === 1 && n.strides[1] === m.dimension;
  const matrix = n.dimension * m.dimension;
  const [batch] = axes;
  return plain && (axes.length === 2 || (batch?.strides[0] === matrix && batch.strides[1] === matrix));
}

function transposeSizes(axes: Axes): [number, number, number] {
  const [n, m] = axes.slice(-2) as [Axes[0], Axes[0]];
  return [axes.length === 3 ? (axes[0] as Axes[0]).dimension : 1, m.dimension, n.dimension];
}

function transpose({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const x = inputs.x as tf.TensorInfo;
  const permutation = attrs.perm as number[];
  const strides = stridesOf(x.shape);
  const shape = permutation.map((axis) => x.shape[axis] as number);
  const out = backend.makeOutput(shape, x.dtype);
  const from = { tensor: x, offset: 0, strides: permutation.map((axis) => strides[axis] as number) };
  copyBox(backend, shape, from, { tensor: out, offset: 0, strides: stridesOf(shape) });
  return out;
}

/** A copy of x with its axes permuted. */
export function transposed(backend: WasmBackend, x: tf.TensorInfo, perm: number[]): tf.TensorInfo {
  return transpose({ inputs: { x }, attrs: { perm }, backend });
}

function slice(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const x = call.inputs.x as tf.TensorInfo;
  const { begin, size } = call.attrs as { begin: number[]; size: number[] };
  const [from, shape] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size) as [number[], number[]];
  tf.slice_util.assertParamsValid(x as tf.Tensor, from, shape);
  const out = backend.makeOutput(shape, x.dtype);
  const strides = stridesOf(x.shape);
  const offset = from.reduce((sum, start, axis) => sum + start * (strides[axis] as number), 0);
  copyBox(
    backend,
    shape,
    { tensor: x, offset, strides },
    { tensor: out, offset: 0, strides: stridesOf(shape) },
  );
  return out;
}

/** Joins tensors along an axis; all others are equal. */
function concat(backend: WasmBackend, tensors: tf.TensorInfo[], axis: number): tf.TensorInfo {
  const shape = tf.backend_util.computeOutShape(
    tensors.map((tensor) => tensor.shape),
    axis,
  );
  const out = backend.makeOutput(shape, (tensors[0] as tf.TensorInfo).dtype);
  const strides = stridesOf(shape);
  let offset = 0;
  for (const tensor of tensors) {
    const from = { tensor, offset: 0, strides: stridesOf(tensor.shape) };
    copyBox(backend, tensor.shape, from, { tensor: out, offset, strides });
    offset += (tensor.shape[axis] as number) * (strides[axis] as number);
  }
  return out;
}

/** The pieces of x along an axis. */
function split(
  backend: WasmBackend,
  x: tf.TensorInfo,
  sizes: readonly number[],
  axis: number,
): tf.TensorInfo[] {
  const strides = stridesOf(x.shape);
  let start = 0;
  return sizes.map((size) => {
    const shape = x.shape.with(axis, size);
    const out = backend.makeOutput(shape, x.dtype);
    const offset = start * (strides[axis] as number);
    copyBox(
      backend,
      shape,
      { tensor: x, offset, strides },
      { tensor: out, offset: 0, strides: stridesOf(shape) },
    );
    start += size;
    return out;
  });
}

function pad(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const x = call.inputs.x as tf.TensorInfo;
  const { paddings, constantValue } = call.attrs as { paddings: [number, number][]; constantValue: number };
  const shape = paddings.map(([before, after], axis) => before + (x.shape[axis] as number) + after);
  const out = fill(backend, shape, x.dtype, constantValue);
  const strides = stridesOf(shape);
  const offset = paddings.reduce((sum, [before], axis) => sum + before * (strides[axis] as number), 0);
  const from = { tensor: x, offset: 0, strides: stridesOf(x.shape) };
  copyBox(backend, x.shape, from, { tensor: out, offset, strides });
  return out;
}

function tile(call: KernelCall): tf.TensorInfo {
  const { backend } = call;
  const x = call.inputs.x as tf.TensorInfo;
  const repeats = call.attrs.reps as number[];
  const own = stridesOf(x.shape);
  const out = backend.makeOutput(
    x.shape.map((dimension, axis) => dimension * (repeats[axis] as number)),
    x.dtype,
  );
  // every axis becomes (repeat, dimension), the repeats standing still in the source
  const shape = x.shape.flatMap((dimension, axis) => [repeats[axis] as number, dimension]);
  const strides = own.flatMap((stride) => [0, stride]);
  const to = { tensor: out, offset: 0, strides: stridesOf(shape) };
  copyBox(backend, shape, { tensor: x, offset: 0, strides }, to);
  return out;
}

/** The shape with an unknown size (−1) worked out. */
function resolveShape(shape: number[], size: number): number[] {
  const resolved = tf.util.inferFromImplicitShape(shape, size);
  if (tf.util.sizeFromShape(resolved) !== size) {
    throw new Error(`reshape: ${size} elements do not fit shape [${shape}]`);
  }
  return resolved;
}

/** Kernels that only move elements. */
export function registerMovement(): void {
  register('Identity', ({ inputs, backend }) => {
    const x = inputs.x as tf.TensorInfo;
    return backend.share(x, x.shape);
  });
  register('Reshape', ({ inputs, attrs, backend }) => {
    const x = inputs.x as tf.TensorInfo;
    return backend.share(x, resolveShape(attrs.shape as number[], tf.util.sizeFromShape(x.shape)));
  });
  register('ExpandDims', ({ inputs, attrs, backend }) => {
    const x = inputs.input as tf.TensorInfo;
    const dim = attrs.dim as number;
    const axis = dim < 0 ? x.shape.length + 1 + dim : dim;
    return backend.share(x, x.shape.toSpliced(axis, 0, 1));
  });
  const moving: [string, string, (call: KernelCall) => tf.TensorInfo | tf.TensorInfo[]][] = [
    ['Transpose', 'x', transpose],
    ['Slice', 'x', slice],
    ['PadV2', 'x', pad],
    ['Tile', 'x', tile],
  ];
  for (const [name, input, implementation] of moving) {
    register(name, (call) =>
      movable(call.inputs[input] as tf.TensorInfo) ? implementation(call) : runOnCpu(name, call),
    );
  }
  register('Concat', (call) => {
    const tensors = call.inputs as unknown as tf.TensorInfo[];
    const [first] = tensors as [tf.TensorInfo];
    if (!movable(...tensors) || tensors.some(({ dtype }) => dtype !== first.dtype))
      return runOnCpu('Concat', call);
    return concat(
      call.backend,
      tensors,
      tf.util.parseAxisParam(call.attrs.axis as number, first.shape)[0] as number,
    );
  });
  register('Pack', (call) => {
    const tensors = call.inputs as unknown as tf.TensorInfo[];
    const [first] = tensors as [tf.TensorInfo];
    if (!movable(...tensors) || tensors.some(({ dtype }) => dtype !== first.dtype))
      return runOnCpu('Pack', call);
    const axis = tf.util.parseAxisParam(call.attrs.axis as number, [...first.shape, 1])[0] as number;
    const views = tensors.map((tensor) => ({ ...tensor, shape: tensor.shape.toSpliced(axis, 0, 1) }));
    return concat(call.backend, views, axis);
  });
  register('Unpack', (call) => {
    const x = call.inputs.value as tf.TensorInfo;
    if (!movable(x)) return runOnCpu('Unpack', call);
    const axis = tf.util.parseAxisParam(call.attrs.axis as number, x.shape)[0] as number;
    const parts = split(call.backend, x, new Array(x.shape[axis]).fill(1), axis);
    return parts.map((part) => ({ ...part, shape: part.shape.toSpliced(axis, 1) }));
  });
  register('SplitV', (call) => {
    const x = call.inputs.x as tf.TensorInfo;
    if (!movable(x)) return runOnCpu('SplitV', call);
    const axis = tf.util.parseAxisParam(call.attrs.axis as number, x.shape)[0] as number;
    const sizes = tf.backend_util.prepareSplitSize(
      x as tf.Tensor,
      call.attrs.numOrSizeSplits as number | number[],
      axis,
    );
    return split(call.backend, x, sizes, axis);
  });
}
