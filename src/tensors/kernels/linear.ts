import * as tf from '../tf.js';
import { hasKernel, runNamed, sumRows } from './named.js';

/**
 * x · weightᵀ + bias: x [n, in], weight [out, in] (the layout of checkpoints, never transposed in memory),
 * bias [out] → [n, out].
 */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
  if (hasKernel('Linear')) return runNamed('Linear', bias ? { x, weight, bias } : { x, weight });
  const product: tf.Tensor2D = tf.matMul(x, weight, false, true);
  return bias ? tf.add(product, bias) : product;
}

tf.registerGradient({
  kernelName: 'Linear',
  inputsToSave: ['x', 'weight'],
  gradFunc: (dy, saved) => {
    const [x, weight] = saved as [tf.Tensor2D, tf.Tensor2D];
    const d = dy as tf.Tensor2D;
    return {
      x: () => tf.matMul(d, weight),
      weight: () => tf.matMul(d, x, true, false),
      bias: () => sumRows(d),
    };
  },
});
