import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';
import { fill } from './fill.js';
import { isPlain, move, stridesOf } from './move.js';
import { isOnHost, type KernelCall, type KernelImplementation, type Kernels, runTfjs } from './register.js';

type Attributes = Record<string, unknown>;
type Implementation = (backend: WebGpuBackend, x: tf.TensorInfo, attrs: Attributes) => tf.TensorInfo;

/**
 * tfjs's kernels move integers as floating-point numbers, which have 24 bits; what it computes on the host, and
 * strings and complex numbers, stay with it.
 */
const moving =
  (name: string, implementation: Implementation): KernelImplementation =>
  (call) => {
    const { inputs, attrs, backend } = call;
    const x = inputs.x!;
    if (!isPlain(x) || isOnHost(backend, name, [x])) return runTfjs(name, call);
    return implementation(backend, x, attrs as Attributes);
  };

/** Part of a tensor: `sizes` elements of each dimension from `begin`, `steps` apart. */
function part(
  backend: WebGpuBackend,
  x: tf.TensorInfo,
  begin: readonly number[],
  sizes: number[],
  steps: readonly number[] = [],
): tf.TensorInfo {
  const out = backend.makeOutput(sizes, x.dtype);
  const strides = stridesOf(x.shape);
  move(backend, x, out, {
    shape: sizes,
    reads: strides.map((stride, axis) => stride * (steps[axis] ?? 1)),
    writes: stridesOf(sizes),
    firstRead: strides.reduce((sum, stride, axis) => sum + stride * begin[axis]!, 0),
  });
  return out;
}

const slice: Implementation = (backend, x, attrs) => {
  const { begin, size } = attrs as { begin: number[]; size: number[] };
  const [starts, sizes] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
  return part(backend, x, starts as number[], sizes as number[]);
};

const stridedSlice: Implementation = (backend, x, attrs) => {
  const { beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask, ...given } = attrs as Record<
    'begin' | 'end' | 'strides',
    number[]
  > &
    Record<'beginMask' | 'endMask' | 'ellipsisMask' | 'newAxisMask' | 'shrinkAxisMask', number>;
  const masks = [beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask] as const;
  const info = tf.slice_util.sliceInfo(x.shape, given.begin, given.end, given.strides, ...masks);
  const sizes = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
  const { dataId } = part(backend, x, info.begin, sizes, info.strides);
  return { dataId, shape: info.finalShape, dtype: x.dtype };
};

/** A tensor with its dimensions in another order. */
export function transpose(backend: WebGpuBackend, x: tf.TensorInfo, perm: readonly number[]): tf.TensorInfo {
  const out = backend.makeOutput(
    perm.map((axis) => x.shape[axis]!),
    x.dtype,
  );
  const strides = stridesOf(x.shape);
  const reads = perm.map((axis) => strides[axis]!);
  move(backend, x, out, { shape: out.shape, reads, writes: stridesOf(out.shape) });
  return out;
}

const reverse: Implementation = (backend, x, attrs) => {
  const { dims } = attrs as { dims: number | number[] };
  const reversed = tf.util.parseAxisParam(dims, x.shape);
  const out = backend.makeOutput(x.shape, x.dtype);
  const writes = stridesOf(x.shape);
  move(backend, x, out, {
    shape: x.shape,
    reads: writes.map((stride, axis) => (reversed.includes(axis) ? -stride : stride)),
    writes,
    firstRead: reversed.reduce((sum, axis) => sum + writes[axis]! * Math.max(0, x.shape[axis]! - 1), 0),
  });
  return out;
};

const tile: Implementation = (backend, x, attrs) => {
  const { reps } = attrs as { reps: number[] };
  const out = backend.makeOutput(
    x.shape.map((length, axis) => length * reps[axis]!),
    x.dtype,
  );
  const [reads, writes] = [stridesOf(x.shape), stridesOf(out.shape)];
  move(backend, x, out, {
    shape: x.shape.flatMap((length, axis) => [reps[axis]!, length]),
    reads: reads.flatMap((stride) => [0, stride]),
    writes: writes.flatMap((stride, axis) => [stride * x.shape[axis]!, stride]),
  });
  return out;
};

const pad: Implementation = (backend, x, attrs) => {
  const { paddings, constantValue } = attrs as { paddings: [number, number][]; constantValue: number };
  const shape = x.shape.map((length, axis) => length + paddings[axis]![0] + paddings[axis]![1]);
  const out = fill(backend, shape, x.dtype, constantValue);
  const writes = stridesOf(shape);
  const firstWritten = paddings.reduce((sum, [before], axis) => sum + before * writes[axis]!, 0);
  move(backend, x, out, { shape: x.shape, reads: stridesOf(x.shape), writes, firstWritten });
  return out;
};

function split(call: KernelCall): tf.TensorInfo[] {
  const { numOrSizeSplits, axis } = call.attrs as { numOrSizeSplits: number | number[]; axis: number };
  const x = call.inputs.x!;
  const [at] = tf.util.parseAxisParam(axis, x.shape) as [number];
  const begin = x.shape.map(() => 0);
  return tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, at).map((length) => {
    const size = x.shape.map((all, i) => (i === at ? length : all));
    const attrs = { begin: [...begin], size };
    begin[at]! += length;
    return kernels.Slice!({ ...call, attrs }) as tf.TensorInfo;
  });
}

function unpack(call: KernelCall): tf.TensorInfo[] {
  const [at] = tf.util.parseAxisParam((call.attrs as { axis: number }).axis, call.inputs.value!.shape);
  const x = call.inputs.value!;
  const parts = split({ ...call, inputs: { x }, attrs: { numOrSizeSplits: x.shape[at!]!, axis: at! } });
  const shape = x.shape.filter((_, i) => i !== at);
  return parts.map(({ dataId, dtype }) => ({ dataId, shape, dtype }));
}

/** Puts tensors one after the other into `out`, `size` elements of each for every one of `outer` places. */
function putTogether(
  backend: WebGpuBackend,
  tensors: tf.TensorInfo[],
  out: tf.TensorInfo,
  outer: number,
): void {
  const sizes = tensors.map(({ shape }) => tf.util.sizeFromShape(shape) / Math.max(1, outer));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let firstWritten = 0;
  for (const [i, x] of tensors.entries()) {
    const size = sizes[i]!;
    move(backend, x, out, { shape: [outer, size], reads: [size, 1], writes: [total, 1], firstWritten });
    firstWritten += size;
  }
}

const inputList = ({ inputs }: KernelCall): tf.TensorInfo[] => inputs as unknown as tf.TensorInfo[];

function concat(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { backend, attrs } = call;
  const tensors = inputList(call);
  const [first] = tensors as [tf.TensorInfo];
  const areAlike = tensors.every((x) => isPlain(x) && x.dtype === first.dtype);
  if (!areAlike || isOnHost(backend, 'Concat', tensors)) return runTfjs('Concat', call);
  const [axis] = tf.util.parseAxisParam((attrs as { axis: number }).axis, first.shape) as [number];
  const shapes = tensors.map(({ shape }) => shape);
  tf.backend_util.assertParamsConsistent(shapes, axis);
  const out = backend.makeOutput(tf.backend_util.computeOutShape(shapes, axis), first.dtype);
  putTogether(backend, tensors, out, tf.util.sizeFromShape(first.shape.slice(0, axis)));
  return out;
}

function pack(call: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const { backend, attrs } = call;
  const tensors = inputList(call);
  const [first] = tensors as [tf.TensorInfo];
  if (!tensors.every((x) => isPlain(x) && x.dtype === first.dtype)) return runTfjs('Pack', call);
  const { axis } = attrs as { axis: number };
  const at = axis < 0 ? axis + first.shape.length + 1 : axis;
  const shape = [...first.shape.slice(0, at), tensors.length, ...first.shape.slice(at)];
  const out = backend.makeOutput(shape, first.dtype);
  putTogether(backend, tensors, out, tf.util.sizeFromShape(first.shape.slice(0, at)));
  return out;
}

export const kernels: Kernels = {
  Concat: concat,
  Pack: pack,
  PadV2: moving('PadV2', pad),
  Reverse: moving('Reverse', reverse),
  Slice: moving('Slice', slice),
  SplitV: split,
  StridedSlice: moving('StridedSlice', stridedSlice),
  Tile: moving('Tile', tile),
  Transpose: moving('Transpose', (backend, x, attrs) => transpose(backend, x, attrs.perm as number[])),
  Unpack: unpack,
};
