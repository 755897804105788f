import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import { DROPOUT_FACTORS, dropoutLimit } from './dropout.js';
import code from './dropout.wgsl';

const program: Program = { name: 'Dropout', code, buffers: 'rrw', over: 'elements' };

function dropout({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { x, names } = inputs as Record<'x' | 'names', tf.TensorInfo>;
  const { rate, seed } = attrs as { rate: number; seed: number };
  const [n, width] = x.shape as [number, number];
  const out = backend.makeOutput(x.shape);
  const numbers = [n * width, width, seed, dropoutLimit(rate), ...DROPOUT_FACTORS];
  backend.run(program, [x, names, out], numbers, [1 / (1 - rate)]);
  return out;
}

export const kernels: Kernels = { Dropout: dropout };
