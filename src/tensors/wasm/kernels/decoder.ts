import { dropoutLimit } from '../../kernels/dropout.js';
import * as tf from '../../tf.js';
import type { WasmBackend } from '../backend.js';
import { GRAIN, runFlat } from './elementwise.js';
import { multiply } from './matmul.js';
import { type KernelCall, register } from './register.js';

/** Rows whose logits are held at once. */
const HEAD_ROWS = 1024;
/** Floats of logits held at once: 4 MB, which stays in the cache between its three uses. */
const HEAD_LOGITS = 1 << 20;

function pointersOf(backend: WasmBackend, ...tensors: tf.TensorInfo[]): number[] {
  return tensors.map((tensor) => backend.pointer(tensor));
}

function runRows(
  backend: WasmBackend,
  name: string,
  args: readonly number[],
  rows: number,
  width: number,
): void {
  backend.runtime.run(backend.runtime.kernel(name), args, rows, Math.max(1, Math.ceil(GRAIN / 2 / width)));
}

/**
 * log p(label) of each row and its derivative, over blocks of rows and of the vocabulary with an online softmax:
 * the logits of one block are all that is ever held.
 */
function headLogProbs({ inputs, backend }: KernelCall): tf.TensorInfo[] {
  const { hidden, head, labels } = inputs as Record<'hidden' | 'head' | 'labels', tf.TensorInfo>;
  const [rows, d] = hidden.shape as [number, number];
  const vocabSize = head.shape[0] as number;
  for (const label of backend.view(labels)) {
    if (label < 0 || label >= vocabSize)
      throw new Error(`headLogProbs: label ${label} is not in [0, ${vocabSize - 1}]`);
  }
  const logProbs = backend.makeOutput([rows], 'float32');
  const jacobian = backend.makeOutput([rows, d], 'float32');
  const [x, w, label, out, mixture] = pointersOf(backend, hidden, head, labels, logProbs, jacobian) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const { runtime } = backend;
  const rowsAtOnce = Math.max(1, Math.min(rows, HEAD_ROWS));
  const width = Math.min(vocabSize, Math.max(256, Math.floor(HEAD_LOGITS / rowsAtOnce / 8) * 8));
  const logits = runtime.allocator.allocate(rowsAtOnce * width * 4);
  const state = runtime.allocator.allocate(rowsAtOnce * 16);
  const matrix = (pointer: number, rowStride: number, columnStride: number) => ({
    ...{ pointer, rowStride, columnStride, offsets: [0] },
  });
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - row);
    const [xRow, labelRow, mixtureRow] = [x + row * d * 4, label + row * 4, mixture + row * d * 4];
    const float32 = runtime.float32;
    for (let i = 0; i < count; i++) float32[(state.pointer >>> 2) + i * 4] = Number.NEGATIVE_INFINITY;
    for (let first = 0; first < vocabSize; first += width) {
      const block = Math.min(width, vocabSize - first);
      const head0 = w + first * d * 4;
      multiply(backend, matrix(xRow, d, 1), matrix(head0, 1, d), logits.pointer, 0, count, block, d);
      const args = [logits.pointer, block, labelRow, first, state.pointer, mixtureRow, d];
      runRows(backend, 'headSoftmax', args, count, block * 8);
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
  runtime.allocator.release(logits);
  return [logProbs, jacobian];
}

/** One step of AdamW on a list p, g, m, v, p, …, written in place. */
function adamW({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const tensors = inputs as unknown as tf.TensorInfo[];
  const { lr, beta1, beta2, epsilon, weightDecay, step } = attrs as Record<string, number> as Record<
    'lr' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'step',
    number
  >;
  const rate = lr / (1 - beta1 ** step);
  const root = Math.sqrt(1 - beta2 ** step);
  const numbers = [1 - lr * weightDecay, rate, root, beta1, 1 - beta1, beta2, 1 - beta2, epsilon];
  for (let i = 0; i < tensors.length; i += 4) {
    const group = tensors.slice(i, i + 4) as [tf.TensorInfo, ...tf.TensorInfo[]];
    runFlat(
      backend,
      'adamW',
      [...pointersOf(backend, ...group), ...numbers],
      tf.util.sizeFromShape(group[0].shape),
    );
  }
  return backend.makeOutput([0], 'float32');
}

function dropout({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const x = inputs.x as tf.TensorInfo;
  const { rate, seed } = attrs as { rate: number; seed: number };
  const out = backend.makeOutput(x.shape, 'float32');
  const args = [...pointersOf(backend, x, out), seed | 0, dropoutLimit(rate), 1 / (1 - rate)];
  runFlat(backend, 'dropout', args, tf.util.sizeFromShape(x.shape));
  return out;
}

/** The named kernels of a decoder other than attention and Linear. */
export function registerDecoder(): void {
  register('RmsNorm', ({ inputs, attrs, backend }) => {
    const { x, weight } = inputs as Record<'x' | 'weight', tf.TensorInfo>;
    const [n, d] = x.shape as [number, number];
    const out = backend.makeOutput(x.shape, 'float32');
    runRows(backend, 'rmsNorm', [...pointersOf(backend, x, weight, out), d, attrs.epsilon as number], n, d);
    return out;
  });
  register('RmsNormGrad', ({ inputs, attrs, backend }) => {
    const { dy, x, weight } = inputs as Record<'dy' | 'x' | 'weight', tf.TensorInfo>;
    const [n, d] = x.shape as [number, number];
    const out = backend.makeOutput(x.shape, 'float32');
    const args = [...pointersOf(backend, dy, x, weight, out), d, attrs.epsilon as number];
    runRows(backend, 'rmsNormGrad', args, n, d);
    return out;
  });
  register('RotaryEmbedding', ({ inputs, backend }) => {
    const { x, cos, sin } = inputs as Record<'x' | 'cos' | 'sin', tf.TensorInfo>;
    const [n, heads, headDim] = x.shape as [number, number, number];
    const out = backend.makeOutput(x.shape, 'float32');
    const args = [...pointersOf(backend, x, cos, sin, out), heads, headDim];
    runRows(backend, 'rotaryEmbedding', args, n, heads * headDim);
    return out;
  });
  register('SwiGlu', ({ inputs, backend }) => {
    const { gate, up } = inputs as Record<'gate' | 'up', tf.TensorInfo>;
    const out = backend.makeOutput(gate.shape, 'float32');
    const pointers = pointersOf(backend, gate, up, out);
    runFlat(backend, 'swiGlu', pointers, tf.util.sizeFromShape(gate.shape), GRAIN / 2);
    return out;
  });
  register('SwiGluGrad', ({ inputs, backend }) => {
    const { dy, gate, up } = inputs as Record<'dy' | 'gate' | 'up', tf.TensorInfo>;
    const outs = [0, 1].map(() => backend.makeOutput(gate.shape, 'float32'));
    const pointers = pointersOf(backend, dy, gate, up, ...outs);
    runFlat(backend, 'swiGluGrad', pointers, tf.util.sizeFromShape(gate.shape), GRAIN / 2);
    return outs;
  });
  register('HeadLogProbs', headLogProbs);
  register('AdamW', adamW);
  register('Dropout', dropout);
}
