import { stridesOf } from '../../strides.js';
import * as tf from '../../tf.js';
import type { TorchBackend } from '../backend.js';
import type { Handle } from '../library.js';
import { type KernelCall, register } from './register.js';
import { agree } from './types.js';

/** A batch of matrices [batch, rows, columns] as torch takes them, transposed by strides where asked. */
function matrices(
  backend: TorchBackend,
  x: tf.TensorInfo,
  transpose: boolean,
  outBatch: readonly number[],
): Handle {
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const shape = transpose ? [columns, rows] : [rows, columns];
  const last = transpose ? [1, columns] : [columns, 1];
  const count = outBatch.reduce((product, n) => product * n, 1);
  if (count === 1 && outBatch.length <= 1) {
    return backend.view(x, [...outBatch, ...shape], [...outBatch.map(() => rows * columns), ...last]);
  }
  const ownBatch = x.shape.slice(0, -2);
  const padded = [...new Array<number>(outBatch.length - ownBatch.length).fill(1), ...ownBatch];
  const steps = stridesOf([...padded, rows, columns]);
  const strides = padded.map((n, axis) => (n === 1 ? 0 : (steps[axis] as number)));
  const whole = padded.every((n, axis) => n === outBatch[axis]);
  if (whole || padded.every((n) => n === 1)) {
    const step = whole ? rows * columns : 0;
    return backend.view(x, [count, ...shape], [step, ...last]);
  }
  // a batch that is broadcast along some of its axes has to be spread out first
  const spread = backend.torch.contiguous(
    backend.view(x, [...outBatch, rows, columns], [...strides, columns, 1]),
    [...outBatch, rows, columns],
    backend.torchDtype(x),
  );
  return backend.torch.view(spread, [count, ...shape], [rows * columns, ...last]);
}

function batchMatMul({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { a, b } = inputs as Record<'a' | 'b', tf.TensorInfo>;
  const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
  const outBatch = tf.backend_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const m = a.shape[a.shape.length - (transposeA ? 1 : 2)] as number;
  const n = b.shape[b.shape.length - (transposeB ? 2 : 1)] as number;
  const shape = [...outBatch, m, n];
  const plain = outBatch.reduce((product, count) => product * count, 1) === 1;
  return backend.run(shape, a.dtype, () => {
    const operands = [
      matrices(backend, a, transposeA, plain ? [] : outBatch),
      matrices(backend, b, transposeB, plain ? [] : outBatch),
    ] as const;
    // asking a handle for its type costs a call
    const alike = backend.torchDtype(a) === backend.torchDtype(b);
    const [x, y] = alike ? operands : agree(backend, ...operands);
    const product = backend.torch.call(plain ? 'mm' : 'bmm', x, y);
    return shape.length === (plain ? 2 : 3) ? product : backend.torch.view(product, shape);
  });
}

/** Products of matrices. */
export function registerMatMul(): void {
  register('BatchMatMul', batchMatMul);
}
