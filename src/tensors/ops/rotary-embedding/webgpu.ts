import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import code from './rotary-embedding.wgsl';

const program: Program = { name: 'RotaryEmbedding', code, buffers: 'rrrw', over: 'elements' };
/** By the opposite angles. */
const inverse: Program = { ...program, name: 'RotaryEmbeddingInverse', constants: { INVERSE: 1 } };

function rotate(by: Program, { inputs, backend }: KernelCall): tf.TensorInfo {
  const { x, cos, sin } = inputs as Record<'x' | 'cos' | 'sin', tf.TensorInfo>;
  const [n, heads, headDim] = x.shape as [number, number, number];
  const out = backend.makeOutput(x.shape);
  const pairs = (n * heads * headDim) / 2;
  backend.run(by, [x, cos, sin, out], [pairs, heads, headDim / 2], []);
  return out;
}

export const kernels: Kernels = {
  RotaryEmbedding: (call) => rotate(program, call),
  RotaryEmbeddingInverse: (call) => rotate(inverse, call),
};
