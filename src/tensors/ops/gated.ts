import * as tf from '../tf.js';
import { runNamed } from './named.js';

/** Registers the gradient of a gated unit, activation(gate) · up, whose kernel has one named `<kernelName>Grad`. */
export function registerGatedGradient(kernelName: string): void {
  tf.registerGradient({
    kernelName,
    inputsToSave: ['gate', 'up'],
    gradFunc: (dy, saved) => {
      const [gate, up] = saved as [tf.Tensor2D, tf.Tensor2D];
      const inputs = { dy: dy as tf.Tensor, gate, up };
      const [dGate, dUp] = runNamed<tf.Tensor[]>(`${kernelName}Grad`, inputs);
      return { gate: () => dGate!, up: () => dUp! };
    },
  });
}
