import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../common/files.js';
import type { MeanLoss } from './tally.js';
import { EventFileWriter } from './tensorboard.js';
import type { ValidationReport } from './validation.js';

/** The training loss over the steps since the last point. */
export interface TrainPoint {
  /** The last step it covers. */
  readonly step: number;
  /** Weighted, in nats per label. */
  readonly loss: number;
  /** Unweighted, per prompt kind. */
  readonly kinds: Readonly<Record<string, MeanLoss>>;
  readonly learningRate: number;
  /** Of the last step that was not skipped, before clipping. */
  readonly gradNorm: number;
  /** Tokens of prompts and answers since the run began. */
  readonly tokens: number;
  readonly tokensPerSecond: number;
}

/** A validation loss and when it was measured. */
export interface ValidationPoint extends ValidationReport {
  readonly step: number;
}

/** The course of a run, as a notebook plots it. */
export interface TrainingHistory {
  readonly train: TrainPoint[];
  readonly validation: ValidationPoint[];
}

/** The JSON-lines file of a run. */
export const METRICS_FILE = 'metrics.jsonl';

/** A line of `metrics.jsonl`, as it is and read. */
interface MetricsLine {
  readonly line: string;
  readonly point: { readonly type: string; readonly step: number };
}

/** The lines of a `metrics.jsonl`, without one that was being written when its run was killed. */
export function metricsLines(path: string): MetricsLine[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line): MetricsLine[] => {
      try {
        return [{ line, point: JSON.parse(line) }];
      } catch {
        return [];
      }
    });
}

/**
 * Writes the course of a run to `metrics.jsonl` (one object per point, `type` train or validation) and to
 * TensorBoard event files in `logs/`.
 */
export class MetricsLog {
  readonly #path: string;
  readonly #events: EventFileWriter;

  /** @param lastStep when a run is continued: points after this step were made by steps that are redone */
  constructor(folder: string, lastStep = 0) {
    mkdirSync(folder, { recursive: true });
    this.#path = join(folder, METRICS_FILE);
    if (existsSync(this.#path)) this.#forgetAfter(lastStep);
    this.#events = new EventFileWriter(join(folder, 'logs'), lastStep > 0 ? lastStep + 1 : 0);
  }

  train(point: TrainPoint): void {
    this.#append({ type: 'train', ...point });
    this.#events.scalars(point.step, {
      'train/loss': point.loss,
      'train/learning_rate': point.learningRate,
      'train/grad_norm': point.gradNorm,
      'train/tokens_per_second': point.tokensPerSecond,
      ...scalars('train/kind', point.kinds),
    });
  }

  validation(point: ValidationPoint): void {
    this.#append({ type: 'validation', ...point });
    this.#events.scalars(point.step, {
      'val/loss': point.loss,
      ...scalars('val/kind', point.kinds),
      ...scalars('val/dataset', point.datasets),
    });
  }

  close(): void {
    this.#events.close();
  }

  #append(value: object): void {
    appendFileSync(this.#path, JSON.stringify(value) + '\n');
  }

  #forgetAfter(lastStep: number): void {
    const kept = metricsLines(this.#path).filter(({ point }) => point.step <= lastStep);
    writeFileAtomic(this.#path, kept.map(({ line }) => line + '\n').join(''));
  }
}

function scalars(prefix: string, losses: Readonly<Record<string, MeanLoss>>): Record<string, number> {
  return Object.fromEntries(Object.entries(losses).map(([name, { loss }]) => [`${prefix}/${name}`, loss]));
}
