import * as tf from '../../tf.js';
import type { Handle } from '../library.js';
import type { Torch } from '../torch.js';
import { type KernelCall, parseAxes, register } from './register.js';

type Reduction = (torch: Torch, x: Handle, axes: readonly number[]) => Handle;

const reductions: Record<string, Reduction> = {
  All: (torch, x, axes) => torch.call('all.dims', x, axes, false),
  Any: (torch, x, axes) => torch.call('any.dims', x, axes, false),
  Max: (torch, x, axes) => torch.call('amax', x, axes, false),
  Mean: (torch, x, axes) => torch.call('mean.dim', x, axes, false, null),
  Min: (torch, x, axes) => torch.call('amin', x, axes, false),
  // without the type torch adds up integers as int64
  Sum: (torch, x, axes) => torch.call('sum.dim_IntList', x, axes, false, torch.dtypes[torch.dtypeOf(x)]),
};

function reduce({ inputs, attrs, backend }: KernelCall, f: Reduction, name: string): tf.TensorInfo {
  const x = inputs.x as tf.TensorInfo;
  const { keepDims = false, ...named } = attrs as { keepDims?: boolean; [axis: string]: unknown };
  // Max calls its axes otherwise than the rest
  const axes = parseAxes((named.axis ?? named.reductionIndices) as number[] | undefined, x.shape);
  const [reduced] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
  const shape = keepDims ? tf.backend_util.expandShapeToKeepDim(reduced, axes) : reduced;
  // tfjs counts booleans in int32, and takes the mean of anything in float32
  const dtype = name === 'Sum' && x.dtype === 'bool' ? 'int32' : name === 'Mean' ? 'float32' : x.dtype;
  if (axes.length === 0 && dtype === x.dtype) return backend.share(x, shape);
  return backend.run(shape, dtype, () => {
    const handle =
      dtype === x.dtype ? backend.handle(x) : backend.torch.cast(backend.handle(x), dtype as 'int32');
    return backend.torch.view(f(backend.torch, handle, axes), shape);
  });
}

/** Sums, extremes and what is built on them. */
export function registerReductions(): void {
  for (const [name, f] of Object.entries(reductions)) register(name, (call) => reduce(call, f, name));
  for (const [name, operation] of [
    ['ArgMax', 'argmax'],
    ['ArgMin', 'argmin'],
  ] as const) {
    register(name, ({ inputs, attrs, backend }) => {
      const x = inputs.x as tf.TensorInfo;
      const [axis] = parseAxes(attrs.axis as number, x.shape) as [number];
      const shape = x.shape.filter((_, a) => a !== axis);
      return backend.run(shape, 'int32', () =>
        backend.torch.cast(backend.torch.call(operation, backend.handle(x), axis, false), 'int32'),
      );
    });
  }
  for (const [name, operation, attribute] of [
    ['Softmax', '_softmax', 'dim'],
    ['LogSoftmax', '_log_softmax', 'axis'],
  ] as const) {
    register(name, ({ inputs, attrs, backend }) => {
      const x = inputs.logits as tf.TensorInfo;
      const axis = attrs[attribute] as number;
      const at = axis < 0 ? axis + x.shape.length : axis;
      return backend.run(x.shape, 'float32', () =>
        backend.torch.call(operation, backend.handle(x), at, false),
      );
    });
  }
  register('TopK', ({ inputs, attrs, backend }) => {
    const x = inputs.x as tf.TensorInfo;
    const { k, sorted } = attrs as { k: number; sorted: boolean };
    const shape = [...x.shape.slice(0, -1), k];
    const { torch } = backend;
    const [values, indices] = torch.tidy(() => {
      const [found, at] = torch.callAll('topk', backend.handle(x), k, x.shape.length - 1, true, sorted);
      return [found as Handle, torch.cast(at as Handle, 'int32')];
    });
    return [
      backend.adopt(values as Handle, shape, x.dtype),
      backend.adopt(indices as Handle, shape, 'int32'),
    ];
  });
}
