import type * as tf from '../../tf.js';
import { multiply } from '../../wasm/kernels/matmul.js';
import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';
import { pointersOf, runRows } from '../../wasm/kernels/rows.js';
import { assertLabels } from './head-log-probs.js';

/** Rows whose logits are held at once. */
const HEAD_ROWS = 1024;
/** Floats of logits held at once: 4 MB, which stays in the cache between its three uses. */
const HEAD_LOGITS = 1 << 20;

/**
 * log p(label) of each row and its derivative, over blocks of rows and of the vocabulary with an online softmax:
 * the logits of one block are all that is ever held.
 */
function headLogProbs({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const { hidden, head, labels } = inputs as Record<'hidden' | 'head' | 'labels', tf.TensorInfo>;
  const [rows, d] = hidden.shape as [number, number];
  const vocabSize = head.shape[0] as number;
  assertLabels(backend.view(labels), vocabSize);
  const logProbs = backend.makeOutput([rows], 'float32');
  const jacobian = backend.makeOutput([rows, d], 'float32');
  const [x, w, label, out, mixture] = pointersOf(backend, hidden, head, labels, logProbs, jacobian) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const { softCap } = attrs as { softCap?: number };
  const { runtime } = backend;
  const rowsAtOnce = Math.max(1, Math.min(rows, HEAD_ROWS));
  const width = Math.min(vocabSize, Math.max(256, Math.floor(HEAD_LOGITS / rowsAtOnce / 8) * 8));
  const logits = runtime.allocator.allocate(rowsAtOnce * width * 4);
  const slopes = softCap === undefined ? undefined : runtime.allocator.allocate(rowsAtOnce * width * 4);
  const state = runtime.allocator.allocate(rowsAtOnce * 16);
  const matrix = (pointer: number, rowStride: number, columnStride: number) => ({
    ...{ pointer, rowStride, columnStride, offsets: [0] },
  });
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - row);
    const [xRow, labelRow, mixtureRow] = [x + row * d * 4, label + row * 4, mixture + row * d * 4];
    const float32 = runtime.float32;
    // top, sum, the label's logit and its slope
    for (let i = 0; i < count; i++) float32.set([-Infinity, 0, 0, 1], (state.pointer >>> 2) + i * 4);
    for (let first = 0; first < vocabSize; first += width) {
      const block = Math.min(width, vocabSize - first);
      const head0 = w + first * d * 4;
      multiply(backend, matrix(xRow, d, 1), matrix(head0, 1, d), logits.pointer, 0, count, block, d);
      const args = [logits.pointer, block, labelRow, first, state.pointer, mixtureRow, d];
      if (softCap === undefined || !slopes) runRows(backend, 'headSoftmax', args, count, block * 8);
      else runRows(backend, 'headSoftmaxCapped', [...args, softCap, slopes.pointer], count, block * 12);
      multiply(
        backend,
        matrix(logits.pointer, block, 1),
        matrix(head0, d, 1),
        mixtureRow,
        0,
        count,
        d,
        block,
        first > 0,
      );
    }
    runRows(backend, 'headFinish', [w, labelRow, state.pointer, mixtureRow, out + row * 4, d], count, d);
  }
  runtime.allocator.release(state);
  if (slopes) runtime.allocator.release(slopes);
  runtime.allocator.release(logits);
  return [logProbs, jacobian];
}

export const kernels: Kernels = { HeadLogProbs: headLogProbs };
