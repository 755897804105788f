import * as tf from '../../tf.js';
import type { Program } from '../program.js';
import gated from './gated.wgsl';
import type { KernelCall, Kernels } from './register.js';

/** The kernels of a gated unit. @param functions WGSL's `activation` of a number and its `slope` */
export function gatedKernels(name: string, functions: string): Kernels {
  const code = `${functions}\n${gated}`;
  const forward: Program = { name, code, buffers: 'rrw', over: 'elements', entry: 'forward' };
  const backward: Program = {
    name: `${name}Grad`,
    code,
    buffers: 'rrwwr',
    over: 'elements',
    entry: 'backward',
  };
  return {
    [name]({ inputs, backend }: KernelCall) {
      const { gate, up } = inputs as Record<'gate' | 'up', tf.TensorInfo>;
      const out = backend.makeOutput(gate.shape);
      const size = tf.util.sizeFromShape(gate.shape);
      backend.run(forward, [gate, up, out], [size], []);
      return out;
    },
    [`${name}Grad`]({ inputs, backend }: KernelCall) {
      const { dy, gate, up } = inputs as Record<'dy' | 'gate' | 'up', tf.TensorInfo>;
      const [dGate, dUp] = [backend.makeOutput(gate.shape), backend.makeOutput(gate.shape)];
      const size = tf.util.sizeFromShape(gate.shape);
      backend.run(backward, [gate, up, dGate, dUp, dy], [size], []);
      return [dGate, dUp];
    },
  };
}
