import { floatTypeOf, toFloatType } from '../../float-type.js';
import * as tf from '../../tf.js';
import { hasKernel, runNamed, sumRows } from '../named.js';

/** 1 / √(mean of squares + epsilon) of each row: x [n, d] → [n, 1]. */
function inverseRms(x: tf.Tensor2D, epsilon: number): tf.Tensor2D {
  return tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon)) as tf.Tensor2D;
}

/**
 * Root-mean-square layer norm (Zhang and Sennrich 2019): x [n, d], weight [d] → [n, d] in x's type.
 * @param unitOffset the weight is stored as its difference from one (Gemma, 2024). It is then float32 whatever the type
 * of x is, and the product with it is rounded once.
 */
export function rmsNorm(
  x: tf.Tensor2D,
  given: tf.Tensor1D,
  epsilon: number,
  { unitOffset = false }: { unitOffset?: boolean } = {},
): tf.Tensor2D {
  const weight: tf.Tensor1D = unitOffset
    ? tf.add(toFloatType(given, 'float32'), 1)
    : toFloatType(given, floatTypeOf(x));
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
      weight: () => {
        // summed in the type of the weight
        const [dy, wide] = [d, x].map((tensor) => toFloatType(tensor, floatTypeOf(weight)));
        return sumRows(tf.mul(dy!, tf.mul(wide!, inverseRms(wide as tf.Tensor2D, epsilon))));
      },
    };
  },
});
