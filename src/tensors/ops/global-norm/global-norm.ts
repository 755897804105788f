import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

/** The Euclidean norm of all numbers of several tensors together: a scalar tensor without a gradient. */
export function globalNorm(tensors: readonly tf.Tensor[]): tf.Scalar {
  if (tensors.length > 0 && hasKernel('GlobalNorm')) {
    return runNamed('GlobalNorm', tensors as unknown as Record<string, tf.Tensor>);
  }
  return tf.tidy(() => {
    const squares = tensors.map((tensor) => tf.sum(tf.square(tensor)) as tf.Scalar);
    return tf.sqrt(tf.addN(squares)) as tf.Scalar;
  });
}
