import * as tf from '../../tf.js';
import { GRAIN, runFlat } from './elementwise.js';
import type { KernelCall, Kernels } from './register.js';
import { pointersOf } from './rows.js';

/** The kernels of a gated unit, activation(gate) · up, and of its gradient; our exports have their names in lower case. */
export function gatedKernels(name: string): Kernels {
  const run = ({ backend }: KernelCall, kernel: string, tensors: tf.TensorInfo[], shape: number[]) => {
    const exported = kernel[0]!.toLowerCase() + kernel.slice(1);
    runFlat(backend, exported, pointersOf(backend, ...tensors), tf.util.sizeFromShape(shape), GRAIN / 2);
  };
  return {
    [name](call) {
      const { gate, up } = call.inputs as Record<'gate' | 'up', tf.TensorInfo>;
      const out = call.backend.makeOutput(gate.shape, 'float32');
      run(call, name, [gate, up, out], gate.shape);
      return out;
    },
    [`${name}Grad`](call) {
      const { dy, gate, up } = call.inputs as Record<'dy' | 'gate' | 'up', tf.TensorInfo>;
      const outs = [0, 1].map(() => call.backend.makeOutput(gate.shape, 'float32'));
      run(call, `${name}Grad`, [dy, gate, up, ...outs], gate.shape);
      return outs;
    },
  };
}
