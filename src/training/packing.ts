import type { TrainingSample } from './sample.js';

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
export function labelCount({ labelSpans }: TrainingSample): number {
  return labelSpans.reduce((sum, [start, end]) => sum + end - start, 0);
}

/**
 * The labels of samples packed one after another: the hidden state at position p predicts the token at p + 1,
 * so labels from s to, not including, e are predicted by the rows s − 1 … e − 2 of their sample.
 */
export function labelsOf(samples: readonly TrainingSample[]): Labels {
  const total = samples.reduce((sum, sample) => sum + labelCount(sample), 0);
  const rows = new Int32Array(total);
  const labels = new Int32Array(total);
  const weights = new Float32Array(total);
  let at = 0;
  let offset = 0;
  for (const sample of samples) {
    for (const [start, end] of sample.labelSpans) {
      for (let position = start; position < end; position++, at++) {
        rows[at] = offset + position - 1;
        labels[at] = sample.tokens[position]!;
        weights[at] = sample.weight;
      }
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
