import * as tf from '../../tf.js';
import { runFlat } from '../../wasm/kernels/elementwise.js';
import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';
import { pointersOf } from '../../wasm/kernels/rows.js';

/** One step of AdamW on a list p, g, m, v, p, …, written in place. */
function adamW({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const tensors = inputs as unknown as tf.TensorInfo[];
  const { lr, beta1, beta2, epsilon, weightDecay, step } = attrs as Record<string, number> as Record<
    'lr' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'step',
    number
  >;
  const rate = lr / (1 - beta1 ** step);
  const root = Math.sqrt(1 - beta2 ** step);
  const numbers = [1 - lr * weightDecay, rate, root, beta1, 1 - beta1, beta2, 1 - beta2, epsilon];
  for (let i = 0; i < tensors.length; i += 4) {
    const group = tensors.slice(i, i + 4) as [tf.TensorInfo, ...tf.TensorInfo[]];
    runFlat(
      backend,
      'adamW',
      [...pointersOf(backend, ...group), ...numbers],
      tf.util.sizeFromShape(group[0].shape),
    );
  }
  return backend.makeOutput([0], 'float32');
}

export const kernels: Kernels = { AdamW: adamW };
