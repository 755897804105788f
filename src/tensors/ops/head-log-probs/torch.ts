import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import { capped } from '../../torch/kernels/soft-cap.js';
import type { Handle } from '../../torch/library.js';
import { assertLabels } from './head-log-probs.js';

/** Logits held at a time, in floats. */
const HEAD_LOGITS = 1 << 26;

/** What probabilities are multiplied by in float16, whose smallest number is 6e-8. */
const HALF_SCALE = 1024;

/**
 * log p(label) of each row and its derivative head[label] − p · head, over blocks of rows: never more than
 * {@link HEAD_LOGITS} logits at once.
 */
function headLogProbs({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const { hidden, head, labels } = inputs as Record<'hidden' | 'head' | 'labels', tf.TensorInfo>;
  const [rows, d] = hidden.shape as [number, number];
  const { softCap } = attrs as { softCap?: number };
  const vocabSize = head.shape[0] as number;
  assertLabels(backend.hostValues(labels) as Int32Array, vocabSize);
  const { torch } = backend;
  const step = Math.max(1, Math.floor(HEAD_LOGITS / vocabSize));
  const [logProbs, jacobian] = torch.tidy(() => {
    const outLogProbs = torch.empty([rows], 'float32');
    const outJacobian = torch.empty([rows, d], 'float32');
    for (let start = 0; start < rows; start += step) {
      const count = Math.min(step, rows - start);
      torch.tidy(() => {
        const x = backend.view(hidden, [count, d], undefined, start * d);
        const w = backend.handle(head);
        const label = backend.view(labels, [count], undefined, start);
        const narrow = torch.call('mm', x, backend.view(head, [d, vocabSize], [1, d]));
        const raw = torch.dtypeOf(narrow) === 'float32' ? narrow : torch.cast(narrow, 'float32');
        const { values: logits, slope } = capped(torch, raw, softCap);
        const logSoftmax = torch.call('_log_softmax', logits, 1, false);
        const index = torch.view(torch.cast(label, 'int64'), [count, 1]);
        const own = torch.call('gather', logSoftmax, 1, index, false);
        torch.copy(torch.view(outLogProbs, [count, 1], undefined, start), own);
        // p − 1 of the label is made before the type gets narrow: near 1 it would be rounded to 0
        const p = torch.call('exp', logSoftmax);
        torch.call('scatter_.src', p, 1, index, torch.call('expm1', own));
        if (slope !== undefined) torch.call('mul_.Tensor', p, slope);
        const type = torch.dtypeOf(w);
        const scaled =
          type === 'float16' ? torch.call('mul.Tensor', p, torch.full([], HALF_SCALE, 'float32')) : p;
        const mixture = torch.call('mm', type === 'float32' ? p : torch.cast(scaled, type), w);
        const factor = torch.full([], type === 'float16' ? -1 / HALF_SCALE : -1, 'float32');
        const wide = type === 'float32' ? mixture : torch.cast(mixture, 'float32');
        torch.copy(
          torch.view(outJacobian, [count, d], undefined, start * d),
          torch.call('mul.Tensor', wide, factor),
        );
        return undefined;
      });
    }
    return [outLogProbs, outJacobian];
  }) as [Handle, Handle];
  return [backend.adopt(logProbs, [rows], 'float32'), backend.adopt(jacobian, [rows, d], 'float32')];
}

export const kernels: Kernels = { HeadLogProbs: headLogProbs };
