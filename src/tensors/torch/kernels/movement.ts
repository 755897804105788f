import { stridesOf } from '../../strides.js';
import * as tf from '../../tf.js';
import type { TorchBackend } from '../backend.js';
import type { Handle } from '../library.js';
import { type KernelCall, parseAxes, register } from './register.js';

/** A row-major copy of a view of a tensor. */
function copyOf(
  backend: TorchBackend,
  x: tf.TensorInfo,
  shape: number[],
  strides: readonly number[],
  offset: number,
): tf.TensorInfo {
  const { torch } = backend;
  return backend.run(shape, x.dtype, () =>
    torch.contiguous(backend.view(x, shape, [...strides], offset), shape, backend.torchDtype(x)),
  );
}

function slice(
  backend: TorchBackend,
  x: tf.TensorInfo,
  begin: readonly number[],
  size: number[],
): tf.TensorInfo {
  const strides = stridesOf(x.shape);
  const offset = begin.reduce((sum, at, axis) => sum + at * (strides[axis] as number), 0);
  return copyOf(backend, x, size, strides, size.includes(0) ? 0 : offset);
}

function transpose({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const x = inputs.x as tf.TensorInfo;
  const perm = attrs.perm as number[];
  const shape = perm.map((axis) => x.shape[axis] as number);
  if (perm.every((axis, i) => axis === i)) return backend.share(x, shape);
  const strides = stridesOf(x.shape);
  return copyOf(
    backend,
    x,
    shape,
    perm.map((axis) => strides[axis] as number),
    0,
  );
}

function concat(backend: TorchBackend, tensors: readonly tf.TensorInfo[], axis: number): tf.TensorInfo {
  const filled = tensors.filter(({ shape }) => tf.util.sizeFromShape(shape) > 0);
  const first = tensors[0] as tf.TensorInfo;
  const shape = tf.backend_util.computeOutShape(
    tensors.map((tensor) => tensor.shape),
    axis,
  );
  return backend.run(shape, first.dtype, () => {
    if (filled.length === 0) return backend.torch.empty(shape, backend.torchDtype(first));
    return backend.torch.call(
      'cat',
      filled.map((tensor) => backend.handle(tensor)),
      axis,
    );
  });
}

function pad({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const x = inputs.x as tf.TensorInfo;
  const { paddings, constantValue } = attrs as { paddings: [number, number][]; constantValue: number };
  const shape = paddings.map(([before, after], axis) => before + (x.shape[axis] as number) + after);
  const strides = stridesOf(shape);
  const offset = paddings.reduce((sum, [before], axis) => sum + before * (strides[axis] as number), 0);
  const { torch } = backend;
  return backend.run(shape, x.dtype, () => {
    const out = torch.full(shape, constantValue, backend.torchDtype(x));
    if (tf.util.sizeFromShape(x.shape) > 0) {
      torch.copy(torch.view(out, x.shape, strides, offset), backend.handle(x));
    }
    return out;
  });
}

/** Kernels that move elements, or only look at them under another shape. */
export function registerMovement(): void {
  register('Identity', ({ inputs, backend }) => backend.share(inputs.x as tf.TensorInfo, inputs.x!.shape));
  register('Reshape', ({ inputs, attrs, backend }) => {
    const x = inputs.x as tf.TensorInfo;
    const size = tf.util.sizeFromShape(x.shape);
    return backend.share(x, tf.util.inferFromImplicitShape(attrs.shape as number[], size));
  });
  register('ExpandDims', ({ inputs, attrs, backend }) => {
    const x = inputs.input as tf.TensorInfo;
    const dim = attrs.dim as number;
    const shape = x.shape.slice();
    shape.splice(dim < 0 ? x.shape.length + dim + 1 : dim, 0, 1);
    return backend.share(x, shape);
  });
  register('Transpose', transpose);
  register('Slice', ({ inputs, attrs, backend }) => {
    const x = inputs.x as tf.TensorInfo;
    const { begin, size } = attrs as { begin: number[]; size: number[] };
    const [first, extent] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
    return slice(backend, x, first as number[], extent as number[]);
  });
  register('SplitV', ({ inputs, attrs, backend }) => {
    const x = inputs.x as tf.TensorInfo;
    const [axis] = parseAxes(attrs.axis as number, x.shape) as [number];
    const begin = x.shape.map(() => 0);
    return tf.backend_util
      .prepareSplitSize(x as tf.Tensor, attrs.numOrSizeSplits as number[], axis)
      .map((length) => {
        const size = x.shape.map((dimension, a) => (a === axis ? length : dimension));
        const part = slice(backend, x, begin, size);
        begin[axis] = (begin[axis] as number) + length;
        return part;
      });
  });
  register('Concat', ({ inputs, attrs, backend }) => {
    const tensors = inputs as unknown as tf.TensorInfo[];
    const [axis] = parseAxes(attrs.axis as number, (tensors[0] as tf.TensorInfo).shape) as [number];
    return concat(backend, tensors, axis);
  });
  register('Pack', ({ inputs, attrs, backend }) => {
    const axis = attrs.axis as number;
    const widened = (inputs as unknown as tf.TensorInfo[]).map((x) => {
      const shape = x.shape.slice();
      shape.splice(axis, 0, 1);
      return { ...x, dataId: x.dataId, shape };
    });
    return concat(backend, widened, axis);
  });
  register('Unpack', ({ inputs, attrs, backend }) => {
    const x = inputs.value as tf.TensorInfo;
    const [axis] = parseAxes(attrs.axis as number, x.shape) as [number];
    const shape = x.shape.filter((_, a) => a !== axis);
    const strides = stridesOf(x.shape);
    const rest = strides.filter((_, a) => a !== axis);
    return Array.from({ length: x.shape[axis] as number }, (_, i) =>
      copyOf(backend, x, shape, rest, i * (strides[axis] as number)),
    );
  });
  register('PadV2', pad);
  register('Tile', ({ inputs, attrs, backend }) => {
    const x = inputs.x as tf.TensorInfo;
    const reps = attrs.reps as number[];
    const shape = x.shape.map((dimension, axis) => dimension * (reps[axis] as number));
    return backend.run(shape, x.dtype, () => backend.torch.call('repeat', backend.handle(x), reps));
  });
  register('Reverse', ({ inputs, attrs, backend }) => {
    const x = inputs.x as tf.TensorInfo;
    const axes = parseAxes(attrs.dims as number[], x.shape);
    return backend.run(x.shape, x.dtype, () => backend.torch.call('flip', backend.handle(x), axes));
  });
  register('Fill', ({ attrs, backend }) => {
    const { shape, value, dtype } = attrs as { shape: number[]; value: number | string; dtype?: tf.DataType };
    const type = dtype ?? tf.util.inferDtype(value);
    if (typeof value === 'string' || type === 'string') {
      const texts = new Array(tf.util.sizeFromShape(shape)).fill(tf.util.encodeString(String(value)));
      return backend.makeTensorInfo(shape, 'string', texts as never);
    }
    const torchDtype = type === 'int32' || type === 'bool' ? type : 'float32';
    return backend.run(shape, type, () => backend.torch.full(shape, Number(value), torchDtype));
  });
  for (const [name, value] of [
    ['ZerosLike', 0],
    ['OnesLike', 1],
  ] as const) {
    register(name, ({ inputs, backend }) => {
      const x = inputs.x as tf.TensorInfo;
      return backend.run(
        x.shape,
        x.dtype,
        (): Handle => backend.torch.full(x.shape, value, backend.torchDtype(x)),
      );
    });
  }
}
