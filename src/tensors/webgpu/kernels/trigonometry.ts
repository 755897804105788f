import * as tf from '../../tf.js';
import type { Program } from '../program.js';
import type { KernelImplementation, Kernels } from './register.js';
import code from './trigonometry.wgsl';

function elementwise(name: string, cosine: boolean): KernelImplementation {
  const program: Program = {
    name,
    code,
    buffers: 'rw',
    over: 'elements',
    constants: { COSINE: Number(cosine) },
  };
  return ({ inputs, backend }) => {
    const x = inputs.x!;
    const out = backend.makeOutput(x.shape);
    const size = tf.util.sizeFromShape(x.shape);
    backend.run(program, [x, out], [size], []);
    return out;
  };
}

export const kernels: Kernels = { Sin: elementwise('Sin', false), Cos: elementwise('Cos', true) };
