import type { Augmentation } from '../arc/augmentation.js';
import type { TaskAugmentation } from '../arc/task-augmentation.js';
import type { Dataset, Task } from '../arc/types.js';
import { Rng } from '../common/rng.js';
import type { TokenSpan } from '../prompts/answer-spans.js';
import type { WantedAnswers } from '../prompts/prompt-builder.js';
import type { PromptTask } from '../prompts/prompt-kind.js';
import { withCandidates } from './candidates.js';
import { TrainingDataError } from './errors.js';
import type { FineTuneConfig } from './options.js';
import type { TrainingSample } from './sample.js';

/** A place of the stream that holds no sample, because it was longer than allowed. */
export interface SkippedSample {
  readonly index: number;
  /** Its length in tokens, after leaving out train samples where that is allowed. */
  readonly tooLong: number;
}

export type StreamItem = TrainingSample | SkippedSample;

/** A training task that was changed, and how. */
export interface ChangedTask {
  readonly task: Task;
  /** What makes it look different. */
  readonly view?: Augmentation;
  /** What made it another task. */
  readonly taskAugmentation?: TaskAugmentation;
}

/** What a place of the stream is made of, before it is a prompt. */
export interface DrawnSample extends ChangedTask {
  readonly index: number;
  readonly pair: TrainingPair;
  readonly taskId: string;
  /** Which variant of the task, from 0. */
  readonly variant: number;
  /** Its samples say where they come from. */
  readonly task: Task;
  /** The test sample that the prompt asks for. */
  readonly testIndex: number;
}

/** The part of a prompt builder that training needs. */
export interface TrainingPrompts {
  training(
    task: Task,
    testIndex: number,
    wanted: WantedAnswers,
  ): { tokens: readonly number[]; answers: readonly TokenSpan[] };
  /** The most tokens that {@link training} can give, found without a tokenizer; undefined where only that can say. */
  mostTokens?(task: Task, testIndex: number): number | undefined;
}

/** One (data set, prompt kind) pair. */
export interface TrainingPair {
  /** The data set's label in metrics and in `lossWeights`. */
  readonly label: string;
  readonly dataset: Dataset;
  /** The prompt kind's name. */
  readonly kind: string;
  /** What the kind asks for. */
  readonly asksFor: PromptTask;
  readonly prompts: TrainingPrompts;
  /** How often it is drawn, relative to the other pairs. */
  readonly weight: number;
  /** What the loss of its samples is multiplied with. */
  readonly lossWeight: number;
}

/** How a task becomes a sample: train samples are left out one by one, where that is allowed, until its prompt fits. */
export type SampleOptions = Pick<FineTuneConfig, 'lossOn' | 'maxSeqLen' | 'removeTrainSamplesToFitMaxSeqLen'>;

export interface SampleSourceOptions extends SampleOptions, Pick<FineTuneConfig, 'seed'> {
  /** Augments a task, or makes another task of it, as far as the prompt that is made of it allows. */
  readonly augment?: (task: Task, rng: Rng, asksFor: PromptTask) => ChangedTask;
}

/** A task as samples are drawn from it. */
export interface DrawableVariant {
  readonly taskId: string;
  readonly variant: number;
  readonly task: Task;
}

/**
 * Where training samples come from. `item(i)` depends on the seed and i alone, so any thread can make any
 * item, and a run that continues at i sees what the uninterrupted run would have seen.
 */
export class SampleSource {
  readonly #pairs: readonly { pair: TrainingPair; tasks: readonly (readonly DrawableVariant[])[] }[];
  readonly #weights: readonly number[];

  /** @throws {TrainingDataError} when a data set has no task to draw a sample from. */
  constructor(
    pairs: readonly TrainingPair[],
    readonly options: SampleSourceOptions,
  ) {
    this.#pairs = pairs.map((pair) => {
      const tasks = [...pair.dataset].map(drawableVariants).filter((variants) => variants.length > 0);
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
    const { pair, task, testIndex } = this.draw(index);
    return buildSample(pair, task, testIndex, index, this.options);
  }

  /** What the item at a place of the stream is made of. */
  draw(index: number): DrawnSample {
    const rng = Rng.of(this.options.seed, 'sample', index);
    const { pair, tasks } = rng.pickWeighted(this.#pairs, this.#weights);
    const { taskId, variant, task } = rng.pick(rng.pick(tasks));
    const drawn = withTestSample(task, rng);
    const changed = this.options.augment?.(drawn, rng, pair.asksFor) ?? { task: drawn };
    const testIndex = rng.int(0, changed.task.test.length - 1);
    const asked = withCandidates(changed.task, testIndex, pair.asksFor, rng);
    return { ...changed, index, pair, taskId, variant, task: asked, testIndex };
  }

  /** The pairs, and the tasks of each that can be drawn. */
  get drawable(): readonly { pair: TrainingPair; tasks: readonly (readonly DrawableVariant[])[] }[] {
    return this.#pairs;
  }
}

/** The variants of a task that samples can be drawn from, with samples that know their place. */
function drawableVariants([taskId, variants]: readonly [string, readonly Task[]]): DrawableVariant[] {
  return variants.flatMap((task, variant) =>
    canBeDrawn(task) ? [{ taskId, variant, task: withOrigins(task) }] : [],
  );
}

function withOrigins({ train, test, ...rest }: Task): Task {
  return {
    ...rest,
    train: train.map((sample, index) => ({ ...sample, origin: { set: 'train', index } })),
    test: test.map((sample, index) => ({ ...sample, origin: { set: 'test', index } })),
  };
}

function canBeDrawn(task: Task): boolean {
  return task.test.length > 0 ? task.train.length > 0 : task.train.length > 1;
}

/** Gives a task without a test set (RE-ARC) one test sample and 2 to 5 train samples, all drawn from its train set. */
export function withTestSample(task: Task, rng: Rng): Task {
  if (task.test.length > 0) return task;
  const [test, ...train] = rng.shuffle(task.train);
  return { ...task, train: train.slice(0, rng.int(2, 5)), test: [test!] };
}

export function wantedAnswers({ lossOn }: Pick<FineTuneConfig, 'lossOn'>): WantedAnswers {
  return lossOn === 'every-answer' ? 'every' : 'last';
}

/** Tokenizes a task's prompt and answer, leaving out train samples when that is allowed and needed. */
export function buildSample(
  pair: Pick<TrainingPair, 'prompts' | 'kind' | 'label' | 'lossWeight'>,
  task: Task,
  testIndex: number,
  index: number,
  options: SampleOptions,
): StreamItem {
  let { train } = task;
  while (true) {
    const { tokens, answers } = pair.prompts.training({ ...task, train }, testIndex, wantedAnswers(options));
    if (tokens.length <= options.maxSeqLen) {
      return {
        index,
        tokens: Int32Array.from(tokens),
        labelSpans: options.lossOn === 'all' ? [[1, tokens.length]] : answers,
        ...(train.length < task.train.length ? { examples: train.length } : {}),
        kind: pair.kind,
        dataset: pair.label,
        weight: pair.lossWeight,
      };
    }
    if (!options.removeTrainSamplesToFitMaxSeqLen || train.length <= 1)
      return { index, tooLong: tokens.length };
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
 * @param options of these `maxValSamples`: the most samples per pair, drawn at random; -1 = all
 */
export function validationSet(
  pairs: readonly TrainingPair[],
  options: SampleOptions & Pick<FineTuneConfig, 'seed'> & Partial<Pick<FineTuneConfig, 'maxValSamples'>>,
): ValidationSet {
  const samples: TrainingSample[] = [];
  let tooLong = 0;
  for (const pair of pairs) {
    const drawable = [...pair.dataset].flatMap(([id, [first]]) =>
      first && canBeDrawn(first) ? [withTestSample(first, Rng.of(options.seed, 'val', id))] : [],
    );
    const all = drawable.flatMap((task) => task.test.map((_, testIndex) => ({ task, testIndex })));
    const { seed, maxValSamples = -1 } = options;
    const chosen = maxValSamples < 0 ? all : Rng.of(seed, 'val', pair.label).sample(all, maxValSamples);
    for (const [i, { task, testIndex }] of chosen.entries()) {
      const rng = Rng.of(options.seed, 'val', pair.label, 'candidates', i);
      const asked = withCandidates(task, testIndex, pair.asksFor, rng);
      const item = buildSample(pair, asked, testIndex, samples.length, options);
      if ('tooLong' in item) tooLong++;
      else samples.push({ ...item, weight: 1 });
    }
  }
  return { samples, tooLong };
}
