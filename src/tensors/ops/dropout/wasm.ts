import * as tf from '../../tf.js';
import { runFlat } from '../../wasm/kernels/elementwise.js';
import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';
import { pointersOf } from '../../wasm/kernels/rows.js';
import { dropoutLimit } from './dropout.js';

function dropout({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const x = inputs.x as tf.TensorInfo;
  const { rate, seed } = attrs as { rate: number; seed: number };
  const out = backend.makeOutput(x.shape, 'float32');
  const args = [...pointersOf(backend, x, out), seed | 0, dropoutLimit(rate), 1 / (1 - rate)];
  runFlat(backend, 'dropout', args, tf.util.sizeFromShape(x.shape));
  return out;
}

export const kernels: Kernels = { Dropout: dropout };
