import * as tf from '../../tf.js';
import type { Program } from '../program.js';
import type { KernelCall, Kernels } from './register.js';
import code from './softmax.wgsl';

const program: Program = { name: 'Softmax', code, buffers: 'rw', over: 'rows' };

function softmax({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { shape } = inputs.logits!;
  const out = backend.makeOutput(shape);
  const width = shape.at(-1) ?? 1;
  backend.run(program, [inputs.logits!, out], [tf.util.sizeFromShape(shape) / Math.max(1, width), width], []);
  return out;
}

export const kernels: Kernels = { Softmax: softmax };
