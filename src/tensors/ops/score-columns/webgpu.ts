import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import code from './score-columns.wgsl';

const program: Program = { name: 'ScoreColumns', code, buffers: 'rrw', over: 'rows' };

function scoreColumns({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { logits, columns } = inputs as Record<'logits' | 'columns', tf.TensorInfo>;
  const [rows, width] = logits.shape as [number, number];
  const count = columns.shape[1] as number;
  const out = backend.makeOutput([rows, count + 1]);
  backend.run(program, [logits, columns, out], [rows, width, count], []);
  return out;
}

export const kernels: Kernels = { ScoreColumns: scoreColumns };
