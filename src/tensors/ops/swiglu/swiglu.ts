import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

/** silu(gate) · up (Shazeer 2020), element by element: gate and up [n, f] → [n, f]. */
export function swiGlu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  if (hasKernel('SwiGlu')) return runNamed('SwiGlu', { gate, up });
  return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
}

tf.registerGradient({
  kernelName: 'SwiGlu',
  inputsToSave: ['gate', 'up'],
  gradFunc: (dy, saved) => {
    const [gate, up] = saved as [tf.Tensor2D, tf.Tensor2D];
    const [dGate, dUp] = runNamed<tf.Tensor[]>('SwiGluGrad', { dy: dy as tf.Tensor, gate, up });
    return { gate: () => dGate!, up: () => dUp! };
  },
});
