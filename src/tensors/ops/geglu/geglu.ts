import * as tf from '../../tf.js';
import { registerGatedGradient } from '../gated.js';
import { hasKernel, runNamed } from '../named.js';

/**
 * gelu(gate) · up (Shazeer 2020) with GELU's approximation by tanh (Hendrycks and Gimpel 2016), element by element:
 * gate and up [n, f] → [n, f].
 */
export function geGlu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  if (hasKernel('GeGlu')) return runNamed('GeGlu', { gate, up });
  const cubic = tf.add(gate, tf.mul(tf.mul(tf.square(gate), gate), 0.044715));
  const risen = tf.add(tf.tanh(tf.mul(cubic, Math.sqrt(2 / Math.PI))), 1);
  return tf.mul(tf.mul(tf.mul(gate, 0.5), risen), up);
}

registerGatedGradient('GeGlu');
