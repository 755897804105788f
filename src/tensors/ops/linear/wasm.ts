import type * as tf from '../../tf.js';
import { multiply } from '../../wasm/kernels/matmul.js';
import type { KernelImplementation, Kernels } from '../../wasm/kernels/register.js';

const linear: KernelImplementation = ({ inputs, backend }) => {
  const x = inputs.x as tf.TensorInfo;
  const weight = inputs.weight as tf.TensorInfo;
  const [n, depth] = x.shape as [number, number];
  const outputs = weight.shape[0] as number;
  const out = backend.makeOutput([n, outputs], 'float32');
  const left = { pointer: backend.pointer(x), rowStride: depth, columnStride: 1, offsets: [0] };
  const right = { pointer: backend.pointer(weight), rowStride: 1, columnStride: depth, offsets: [0] };
  const bias = inputs.bias ? backend.pointer(inputs.bias) : 0;
  multiply(backend, left, right, backend.pointer(out), bias, n, outputs, depth);
  return out;
};

export const kernels: Kernels = { Linear: linear, FrozenLinear: linear };
