import type * as tf from '../../tf.js';
import { multiply } from '../../webgpu/kernels/matmul.js';
import type { KernelImplementation, Kernels } from '../../webgpu/kernels/register.js';

const linear: KernelImplementation = ({ inputs, backend }) => {
  const {
    x: a,
    weight: b,
    bias,
  } = inputs as Record<'x' | 'weight', tf.TensorInfo> & { bias?: tf.TensorInfo };
  const [m, k] = a.shape as [number, number];
  return multiply(backend, { a, b, m, n: b.shape[0] as number, k, transposeB: true, bias });
};

export const kernels: Kernels = { Linear: linear, FrozenLinear: linear };
