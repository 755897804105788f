import { labelCount } from './packing.js';
import type { TrainingSample } from './sample.js';

/** A loss in nats per label, and over how many labels. */
export interface MeanLoss {
  readonly loss: number;
  readonly labels: number;
}

/** Sums as they are kept in a checkpoint. */
export interface TallyState {
  weighted: number;
  sums: Record<string, { kind: string; dataset: string; sum: number; labels: number }>;
}

/** Adds up losses per (prompt kind, data set) pair, so that a mean is one over labels, not over batches. */
export class LossTally {
  readonly state: TallyState;

  constructor(state: TallyState = { weighted: 0, sums: {} }) {
    this.state = structuredClone(state);
  }

  /** Adds samples with the log-probabilities of all their labels, one sample after another. */
  add(samples: readonly TrainingSample[], logProbs: Float32Array): void {
    let at = 0;
    for (const sample of samples) {
      const count = labelCount(sample);
      let sum = 0;
      for (const end = at + count; at < end; at++) sum -= logProbs[at]!;
      this.#of(sample.kind, sample.dataset, sum, count);
      this.state.weighted += sample.weight * sum;
    }
  }

  /** Adds another tally to this one. */
  merge(other: LossTally): void {
    for (const { kind, dataset, sum, labels } of Object.values(other.state.sums)) {
      this.#of(kind, dataset, sum, labels);
    }
    this.state.weighted += other.state.weighted;
  }

  #of(kind: string, dataset: string, sum: number, labels: number): void {
    const key = `${kind}/${dataset}`;
    this.state.sums[key] ??= { kind, dataset, sum: 0, labels: 0 };
    this.state.sums[key].sum += sum;
    this.state.sums[key].labels += labels;
  }

  /** Loss weights times losses, over all labels. */
  get weightedLoss(): number {
    return this.state.weighted / this.total.labels;
  }

  /** Over everything. */
  get total(): MeanLoss {
    return mean(Object.values(this.state.sums));
  }

  /** Per prompt kind. */
  byKind(): Record<string, MeanLoss> {
    return this.#grouped(({ kind }) => kind);
  }

  /** Per data set. */
  byDataset(): Record<string, MeanLoss> {
    return this.#grouped(({ dataset }) => dataset);
  }

  #grouped(name: (entry: { kind: string; dataset: string }) => string): Record<string, MeanLoss> {
    const entries = Object.values(this.state.sums);
    const names = [...new Set(entries.map(name))].sort();
    return Object.fromEntries(
      names.map((wanted) => [wanted, mean(entries.filter((entry) => name(entry) === wanted))]),
    );
  }
}

function mean(entries: readonly { sum: number; labels: number }[]): MeanLoss {
  const labels = entries.reduce((total, entry) => total + entry.labels, 0);
  return { loss: entries.reduce((total, entry) => total + entry.sum, 0) / labels, labels };
}
