import type * as tf from '../../tf.js';
import { overLists } from '../../webgpu/kernels/lists.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { AdamWOptions } from './adamw.js';
import body from './adamw.wgsl';

const run = overLists({
  name: 'AdamW',
  lists: { parameter: 'w', gradient: 'r', first: 'w', second: 'w' },
  params: ['kept', 'rate', 'root', 'beta1', 'rest1', 'beta2', 'rest2', 'epsilon'],
  body,
});

/** One step of AdamW on a list p, g, m, v, p, …, written in place. */
function adamW({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const tensors = inputs as unknown as tf.TensorInfo[];
  const { lr, beta1, beta2, epsilon, weightDecay, step } = attrs as unknown as AdamWOptions;
  const rate = lr / (1 - beta1 ** step);
  const root = Math.sqrt(1 - beta2 ** step);
  // what is left of 1 is from the host's wider numbers
  return run(backend, tensors, [
    1 - lr * weightDecay,
    rate,
    root,
    beta1,
    1 - beta1,
    beta2,
    1 - beta2,
    epsilon,
  ]);
}

export const kernels: Kernels = { AdamW: adamW };
