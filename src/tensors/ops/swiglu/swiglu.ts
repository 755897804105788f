import * as tf from '../../tf.js';
import { registerGatedGradient } from '../gated.js';
import { hasKernel, runNamed } from '../named.js';

/** silu(gate) · up (Shazeer 2020), element by element: gate and up [n, f] → [n, f]. */
export function swiGlu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  if (hasKernel('SwiGlu')) return runNamed('SwiGlu', { gate, up });
  return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
}

registerGatedGradient('SwiGlu');
