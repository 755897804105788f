import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

/**
 * Rotary position embedding (Su et al. 2021) in the half-split layout of Hugging Face's `rotate_half`:
 * x [n, heads, headDim] with cos and sin [n, headDim / 2] → [n, heads, headDim]. With narrower tables [n, w / 2] the
 * first w columns of each head are rotated, and the others stay.
 */
export function rotaryEmbedding(x: tf.Tensor3D, cos: tf.Tensor2D, sin: tf.Tensor2D): tf.Tensor3D {
  const width = 2 * cos.shape[1];
  if (width < x.shape[2]) {
    const [rotated, kept] = tf.split(x, [width, x.shape[2] - width], 2) as [tf.Tensor3D, tf.Tensor3D];
    return tf.concat([rotaryEmbedding(rotated, cos, sin), kept], 2) as tf.Tensor3D;
  }
  if (hasKernel('RotaryEmbedding')) return runNamed('RotaryEmbedding', { x, cos, sin });
  const half = x.shape[2] / 2;
  const [a, b] = tf.split(x, 2, 2) as [tf.Tensor3D, tf.Tensor3D];
  const c = tf.reshape(cos, [-1, 1, half]);
  const s = tf.reshape(sin, [-1, 1, half]);
  return tf.concat(
    [tf.sub(tf.mul(a, c), tf.mul(b, s)), tf.add(tf.mul(b, c), tf.mul(a, s))],
    2,
  ) as tf.Tensor3D;
}

/** The inverse of a rotation is the rotation by the opposite angle. */
function turnedBack(dy: tf.Tensor3D, cos: tf.Tensor2D, sin: tf.Tensor2D): tf.Tensor3D {
  if (hasKernel('RotaryEmbeddingInverse')) return runNamed('RotaryEmbeddingInverse', { x: dy, cos, sin });
  return rotaryEmbedding(dy, cos, tf.neg(sin));
}

for (const [kernelName, gradient] of [
  ['RotaryEmbedding', turnedBack],
  ['RotaryEmbeddingInverse', rotaryEmbedding],
] as const) {
  tf.registerGradient({
    kernelName,
    inputsToSave: ['cos', 'sin'],
    gradFunc: (dy, saved) => {
      const [cos, sin] = saved as [tf.Tensor2D, tf.Tensor2D];
      return { x: () => gradient(dy as tf.Tensor3D, cos, sin) };
    },
  });
}
