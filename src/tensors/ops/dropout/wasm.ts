import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';
import { pointersOf, runRows } from '../../wasm/kernels/rows.js';
import { dropoutLimit } from './dropout.js';

function dropout({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { x, names } = inputs as Record<'x' | 'names', tf.TensorInfo>;
  const { rate, seed } = attrs as { rate: number; seed: number };
  const [n, width] = x.shape as [number, number];
  const out = backend.makeOutput(x.shape, 'float32');
  const args = [...pointersOf(backend, x, out, names), width, seed | 0, dropoutLimit(rate), 1 / (1 - rate)];
  runRows(backend, 'dropout', args, n, width);
  return out;
}

export const kernels: Kernels = { Dropout: dropout };
