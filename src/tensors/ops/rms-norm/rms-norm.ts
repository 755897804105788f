import { floatTypeOf, toFloatType } from '../../float-type.js';
import * as tf from '../../tf.js';
import { hasKernel, runNamed, sumRows } from '../named.js';

/** 1 / √(mean of squares + epsilon) of each row: x [n, d] → [n, 1]. */
function inverseRms(x: tf.Tensor2D, epsilon: number): tf.Tensor2D {
  return tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon)) as tf.Tensor2D;
}

/** Root-mean-square layer norm (Zhang and Sennrich 2019): x [n, d], weight [d] → [n, d] in x's type. */
export function rmsNorm(x: tf.Tensor2D, givenWeight: tf.Tensor1D, epsilon: number): tf.Tensor2D {
  const weight = toFloatType(givenWeight, floatTypeOf(x));
  if (hasKernel('RmsNorm')) return runNamed('RmsNorm', { x, weight }, { epsilon });
  return tf.mul(tf.mul(x, inverseRms(x, epsilon)), weight);
}

tf.registerGradient({
  kernelName: 'RmsNorm',
  inputsToSave: ['x', 'weight'],
  gradFunc: (dy, saved, attributes) => {
    const [x, weight] = saved as [tf.Tensor2D, tf.Tensor1D];
    const { epsilon } = attributes as unknown as { epsilon: number };
    const d = dy as tf.Tensor2D;
    return {
      x: () => runNamed<tf.Tensor2D>('RmsNormGrad', { dy: d, x, weight }, { epsilon }),
      weight: () => sumRows(tf.mul(d, tf.mul(x, inverseRms(x, epsilon)))),
    };
  },
});
