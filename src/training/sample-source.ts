import type { Dataset, Task } from '../arc/types.js';
import { Rng } from '../common/rng.js';
import { TrainingDataError } from './errors.js';

/** A tokenized example to learn from. */
export interface TrainingSample {
  /** Its place in the stream. */
  readonly index: number;
  /** Prompt, answer and end of turn. */
  readonly tokens: Int32Array;
  /** The first token of the answer. */
  readonly answerStart: number;
  /** The prompt kind's name. */
  readonly kind: string;
  /** The data set's label. */
  readonly dataset: string;
  /** What its loss is multiplied with. */
  readonly weight: number;
}

/** A place of the stream that holds no sample, because it was longer than allowed. */
export interface SkippedSample {
  readonly index: number;
  /** Its length in tokens, after leaving out train samples where that is allowed. */
  readonly tooLong: number;
}

export type StreamItem = TrainingSample | SkippedSample;

/** The part of a prompt builder that training needs. */
export interface TrainingPrompts {
  training(task: Task, testIndex: number): { tokens: readonly number[]; answerStart: number };
}

/** One (data set, prompt kind) pair. */
export interface TrainingPair {
  /** The data set's label in metrics and in `--loss_weights`. */
  readonly label: string;
  readonly dataset: Dataset;
  /** The prompt kind's name. */
  readonly kind: string;
  readonly prompts: TrainingPrompts;
  /** How often it is drawn, relative to the other pairs. */
  readonly weight: number;
  /** What the loss of its samples is multiplied with. */
  readonly lossWeight: number;
}

export interface SampleSourceOptions {
  readonly seed: number;
  readonly maxSeqLen: number;
  /** Leave out train samples, one by one, until a prompt fits. */
  readonly removeTrainSamples: boolean;
  /** Makes a task look different, or makes another task of it. */
  readonly augment?: (task: Task, rng: Rng) => Task;
}

/**
 * Where training samples come from. `item(i)` depends on the seed and i alone, so any thread can make any
 * item, and a run that continues at i sees what the uninterrupted run would have seen.
 */
export class SampleSource {
  readonly #pairs: readonly { pair: TrainingPair; tasks: readonly (readonly Task[])[] }[];
  readonly #weights: readonly number[];

  /** @throws {TrainingDataError} when a data set has no task to draw a sample from. */
  constructor(
    pairs: readonly TrainingPair[],
    readonly options: SampleSourceOptions,
  ) {
    this.#pairs = pairs.map((pair) => {
      const tasks = [...pair.dataset.values()]
        .map((variants) => variants.filter(canBeDrawn))
        .filter((variants) => variants.length > 0);
      if (tasks.length === 0) {
        throw new TrainingDataError(
          `${pair.label}: no task to train on: expected tasks with a test sample, or with at least two train samples`,
        );
      }
      return { pair, tasks };
    });
    this.#weights = pairs.map((pair) => pair.weight);
  }

  /** The item at a place of the stream. */
  item(index: number): StreamItem {
    const rng = Rng.of(this.options.seed, 'sample', index);
    const { pair, tasks } = rng.pickWeighted(this.#pairs, this.#weights);
    const drawn = withTestSample(rng.pick(rng.pick(tasks)), rng);
    const task = this.options.augment?.(drawn, rng) ?? drawn;
    return buildSample(pair, task, rng.int(0, task.test.length - 1), index, this.options);
  }
}

function canBeDrawn(task: Task): boolean {
  return task.test.length > 0 ? task.train.length > 0 : task.train.length > 1;
}

/** Gives a task without a test set (RE-ARC) one test sample and 2 to 5 train samples, all drawn from its train set. */
export function withTestSample(task: Task, rng: Rng): Task {
  if (task.test.length > 0) return task;
  const [test, ...train] = rng.shuffle(task.train);
  return { train: train.slice(0, rng.int(2, 5)), test: [test!] };
}

/** Tokenizes a task's prompt and answer, leaving out train samples when that is allowed and needed. */
function buildSample(
  pair: TrainingPair,
  task: Task,
  testIndex: number,
  index: number,
  limits: Pick<SampleSourceOptions, 'maxSeqLen' | 'removeTrainSamples'>,
): StreamItem {
  let { train } = task;
  while (true) {
    const { tokens, answerStart } = pair.prompts.training({ ...task, train }, testIndex);
    if (tokens.length <= limits.maxSeqLen) {
      return {
        index,
        tokens: Int32Array.from(tokens),
        answerStart,
        kind: pair.kind,
        dataset: pair.label,
        weight: pair.lossWeight,
      };
    }
    if (!limits.removeTrainSamples || train.length <= 1) return { index, tooLong: tokens.length };
    train = train.slice(0, -1);
  }
}

/** Validation samples, and how many did not fit. */
export interface ValidationSet {
  readonly samples: readonly TrainingSample[];
  readonly tooLong: number;
}

/**
 * Every test sample of every task (its first variant), without augmentation: the same set at every
 * evaluation and in every run with this seed.
 * @param maxSamples the most samples per pair, drawn at random; -1 = all
 */
export function validationSet(
  pairs: readonly TrainingPair[],
  options: Pick<SampleSourceOptions, 'seed' | 'maxSeqLen' | 'removeTrainSamples'> & { maxSamples?: number },
): ValidationSet {
  const samples: TrainingSample[] = [];
  let tooLong = 0;
  for (const pair of pairs) {
    const drawable = [...pair.dataset].flatMap(([id, [first]]) =>
      first && canBeDrawn(first) ? [withTestSample(first, Rng.of(options.seed, 'val', id))] : [],
    );
    const all = drawable.flatMap((task) => task.test.map((_, testIndex) => ({ task, testIndex })));
    const limit = options.maxSamples ?? -1;
    const chosen = limit < 0 ? all : Rng.of(options.seed, 'val', pair.label).sample(all, limit);
    for (const { task, testIndex } of chosen) {
      const item = buildSample(pair, task, testIndex, samples.length, options);
      if ('tooLong' in item) tooLong++;
      else samples.push({ ...item, weight: 1 });
    }
  }
  return { samples, tooLong };
}
