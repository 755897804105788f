import type * as tf from '../../tf.js';
import type { WebGpuBackend } from '../../webgpu/backend.js';
import { multiply } from '../../webgpu/kernels/matmul.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import code from './dequantize.wgsl';

const program: Program = { name: 'Dequantize', code, buffers: 'rrw', over: 'elements' };

function wholeMatrix(backend: WebGpuBackend, words: tf.TensorInfo, scales: tf.TensorInfo): tf.TensorInfo {
  const [rows, columns] = words.shape as [number, number];
  const out = backend.makeOutput([rows, 4 * columns]);
  const count = rows * columns;
  backend.run(program, [words, scales, out], [count, columns], []);
  return out;
}

/** A product with the matrix, made whole for it. */
function product(call: KernelCall, transposeB: boolean): tf.TensorInfo {
  const { backend, inputs } = call;
  const { x, dy, words, scales, bias } = inputs as Partial<Record<string, tf.TensorInfo>>;
  const a = (x ?? dy) as tf.TensorInfo;
  const b = wholeMatrix(backend, words!, scales!);
  const [m, k] = a.shape as [number, number];
  const out = multiply(backend, { a, b, m, n: b.shape[transposeB ? 0 : 1]!, k, transposeB, bias });
  backend.disposeData(b.dataId);
  return out;
}

export const kernels: Kernels = {
  Dequantize: ({ inputs, backend }) => wholeMatrix(backend, inputs.words!, inputs.scales!),
  QuantizedLinear: (call) => product(call, true),
  QuantizedLinearGrad: (call) => product(call, false),
};
