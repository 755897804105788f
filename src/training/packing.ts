import type { TrainingSample } from './sample-source.js';

/** Which tokens the loss counts: those of the answer, or every token (to pretrain a small base). */
export type LossOn = 'answer' | 'all';

/** The labelled positions of a packed micro-batch. */
export interface Labels {
  /** Rows of the hidden states that predict a label, ascending: [labels]. */
  readonly rows: Int32Array;
  /** The tokens to predict: [labels]. */
  readonly labels: Int32Array;
  /** The loss weight of each: [labels]. */
  readonly weights: Float32Array;
}

/** The number of tokens of a sample that the loss counts. */
export function labelCount(sample: TrainingSample, lossOn: LossOn): number {
  return sample.tokens.length - (lossOn === 'all' ? 1 : sample.answerStart);
}

/**
 * The labels of samples packed one after another: the hidden state at position p predicts the token at p + 1,
 * so an answer that starts at s is predicted by the rows s − 1 … length − 2 of its sample.
 */
export function labelsOf(samples: readonly TrainingSample[], lossOn: LossOn): Labels {
  const total = samples.reduce((sum, sample) => sum + labelCount(sample, lossOn), 0);
  const rows = new Int32Array(total);
  const labels = new Int32Array(total);
  const weights = new Float32Array(total);
  let at = 0;
  let offset = 0;
  for (const sample of samples) {
    const first = lossOn === 'all' ? 1 : sample.answerStart;
    for (let position = first; position < sample.tokens.length; position++, at++) {
      rows[at] = offset + position - 1;
      labels[at] = sample.tokens[position]!;
      weights[at] = sample.weight;
    }
    offset += sample.tokens.length;
  }
  return { rows, labels, weights };
}

/**
 * Groups the samples of a global batch into micro-batches of at most `maxTokens` tokens (first fit, longest
 * sample first). A sample longer than that gets a micro-batch of its own. The grouping changes speed and
 * memory but not the gradient, because the loss is divided by the label count of the global batch.
 */
export function planMicroBatches<T extends { readonly tokens: ArrayLike<number> }>(
  samples: readonly T[],
  maxTokens: number,
): T[][] {
  const longestFirst = [...samples].sort((a, b) => b.tokens.length - a.tokens.length);
  const groups: { samples: T[]; tokens: number }[] = [];
  for (const sample of longestFirst) {
    const length = sample.tokens.length;
    const group = groups.find((candidate) => candidate.tokens + length <= maxTokens);
    if (group) {
      group.samples.push(sample);
      group.tokens += length;
    } else {
      groups.push({ samples: [sample], tokens: length });
    }
  }
  return groups.map((group) => group.samples);
}
