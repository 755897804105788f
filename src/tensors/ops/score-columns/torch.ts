import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import { inFloat32 } from '../../torch/kernels/types.js';

/** The logits of some columns of each row, and the log-sum-exp of all in float32. */
function scoreColumns({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { logits, columns } = inputs as Record<'logits' | 'columns', tf.TensorInfo>;
  const { torch } = backend;
  const [rows, count] = columns.shape as [number, number];
  return backend.run([rows, count + 1], 'float32', () => {
    const wide = inFloat32(backend, logits);
    const index = torch.cast(backend.handle(columns), 'int64');
    const picked = torch.call('gather', wide, 1, index, false);
    return torch.call('cat', [picked, torch.call('logsumexp', wide, [1], true)], 1);
  });
}

export const kernels: Kernels = { ScoreColumns: scoreColumns };
