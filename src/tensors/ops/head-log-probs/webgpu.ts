import type * as tf from '../../tf.js';
import { multiplyInto } from '../../webgpu/kernels/matmul.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import { assertLabels } from './head-log-probs.js';
import code from './head-log-probs.wgsl';

const softmax: Program = { name: 'HeadLogProbs', code, buffers: 'wrw', over: 'rows' };

/** Logits held at a time, in floats. */
const CHUNK = 1 << 24;

/** log p(label) of each row and its derivative, as many rows at a time as their logits are held for. */
function headLogProbs({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const { hidden, head, labels } = inputs as Record<'hidden' | 'head' | 'labels', tf.TensorInfo>;
  const { softCap = 0 } = attrs as { softCap?: number };
  const [rows, d] = hidden.shape as [number, number];
  const vocabulary = head.shape[0] as number;
  const known = backend.hostValues(labels);
  if (known) assertLabels(known as Int32Array, vocabulary);
  const logProbs = backend.makeOutput([rows]);
  const jacobian = backend.makeOutput([rows, d]);
  const most = Math.max(1, Math.floor(CHUNK / vocabulary));
  for (let first = 0; first < rows; first += most) {
    const m = Math.min(most, rows - first);
    const logits = backend.makeOutput([m, vocabulary]);
    const startA = first * d;
    multiplyInto(backend, { a: hidden, b: head, m, n: vocabulary, k: d, transposeB: true, startA }, logits);
    backend.run(softmax, [logits, labels, logProbs], [m, vocabulary, first], [softCap]);
    multiplyInto(backend, { a: logits, b: head, m, n: d, k: vocabulary, startOut: startA }, jacobian);
    backend.disposeData(logits.dataId);
  }
  return [logProbs, jacobian];
}

export const kernels: Kernels = { HeadLogProbs: headLogProbs };
