import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import code from './rms-norm.wgsl';
import gradCode from './rms-norm-grad.wgsl';

const forward: Program = { name: 'RmsNorm', code, buffers: 'rrw', over: 'rows' };
const backward: Program = { name: 'RmsNormGrad', code: gradCode, buffers: 'rrrw', over: 'rows' };

function rmsNorm({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { x, weight } = inputs as Record<'x' | 'weight', tf.TensorInfo>;
  const [n, d] = x.shape as [number, number];
  const out = backend.makeOutput(x.shape);
  backend.run(forward, [x, weight, out], [n, d], [attrs.epsilon as number]);
  return out;
}

function rmsNormGrad({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { dy, x, weight } = inputs as Record<'dy' | 'x' | 'weight', tf.TensorInfo>;
  const [n, d] = x.shape as [number, number];
  const out = backend.makeOutput(x.shape);
  backend.run(backward, [dy, x, weight, out], [n, d], [attrs.epsilon as number]);
  return out;
}

export const kernels: Kernels = { RmsNorm: rmsNorm, RmsNormGrad: rmsNormGrad };
