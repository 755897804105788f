import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import { as } from '../../torch/kernels/types.js';
import type { Handle } from '../../torch/library.js';

/**
 * Rotates the halves of every head: (a, b) → (a·cos − b·sin, b·cos + a·sin), as (a, b)·(cos, cos) + (b, a)·(−sin, sin).
 */
function rotaryEmbedding({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { x, cos, sin } = inputs as Record<'x' | 'cos' | 'sin', tf.TensorInfo>;
  const [n, heads, headDim] = x.shape as [number, number, number];
  const half = headDim / 2;
  const { torch } = backend;
  const dtype = backend.torchDtype(x);
  // one pair of tables for all layers
  const table = (of: tf.TensorInfo, name: string, sign: (rows: Handle) => Handle) =>
    backend.kept(of, `${name} ${dtype}`, () => {
      const rows = as(backend, backend.view(of, [n, 1, 1, half]), x);
      return torch.call('cat', [sign(rows), rows], 2);
    });
  return backend.run(x.shape, 'float32', () => {
    const halves = backend.view(x, [n, heads, 2, half]);
    const straight = torch.call(
      'mul.Tensor',
      halves,
      table(cos, 'twice', (rows) => rows),
    );
    const crossed = torch.call(
      'mul_.Tensor',
      torch.call('flip', halves, [2]),
      table(sin, 'rotation', (rows) => torch.call('neg', rows)),
    );
    return torch.view(torch.add(straight, crossed), x.shape);
  });
}

export const kernels: Kernels = { RotaryEmbedding: rotaryEmbedding };
