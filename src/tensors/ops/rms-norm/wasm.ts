import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';
import { pointersOf, runRows } from '../../wasm/kernels/rows.js';

function rmsNorm({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { x, weight } = inputs as Record<'x' | 'weight', tf.TensorInfo>;
  const [n, d] = x.shape as [number, number];
  const out = backend.makeOutput(x.shape, 'float32');
  runRows(backend, 'rmsNorm', [...pointersOf(backend, x, weight, out), d, attrs.epsilon as number], n, d);
  return out;
}

function rmsNormGrad({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { dy, x, weight } = inputs as Record<'dy' | 'x' | 'weight', tf.TensorInfo>;
  const [n, d] = x.shape as [number, number];
  const out = backend.makeOutput(x.shape, 'float32');
  const args = [...pointersOf(backend, dy, x, weight, out), d, attrs.epsilon as number];
  runRows(backend, 'rmsNormGrad', args, n, d);
  return out;
}

export const kernels: Kernels = { RmsNorm: rmsNorm, RmsNormGrad: rmsNormGrad };
