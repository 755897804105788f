import * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import type { AdamWOptions } from './adamw.js';
import code from './adamw.wgsl';

const program: Program = { name: 'AdamW', code, buffers: 'wrww', over: 'elements' };

/** One step of AdamW on a list p, g, m, v, p, …, written in place. */
function adamW({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const tensors = inputs as unknown as tf.TensorInfo[];
  const { lr, beta1, beta2, epsilon, weightDecay, step } = attrs as unknown as AdamWOptions;
  const rate = lr / (1 - beta1 ** step);
  const root = Math.sqrt(1 - beta2 ** step);
  const numbers = [1 - lr * weightDecay, rate, root, beta1, 1 - beta1, beta2, 1 - beta2, epsilon];
  for (let i = 0; i < tensors.length; i += 4) {
    const group = tensors.slice(i, i + 4);
    const size = tf.util.sizeFromShape(group[0]!.shape);
    backend.run(program, group, [size], numbers);
  }
  return backend.makeOutput([0]);
}

export const kernels: Kernels = { AdamW: adamW };
