import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';
import { pointersOf, runRows } from '../../wasm/kernels/rows.js';

function rotaryEmbedding({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { x, cos, sin } = inputs as Record<'x' | 'cos' | 'sin', tf.TensorInfo>;
  const [n, heads, headDim] = x.shape as [number, number, number];
  const out = backend.makeOutput(x.shape, 'float32');
  const args = [...pointersOf(backend, x, cos, sin, out), heads, headDim];
  runRows(backend, 'rotaryEmbedding', args, n, heads * headDim);
  return out;
}

export const kernels: Kernels = { RotaryEmbedding: rotaryEmbedding };
