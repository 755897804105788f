import { basename } from 'node:path';
import {
  type AugmentationOptions,
  augmentTask,
  drawAugmentation,
  swapTrainAndTest,
} from '../arc/augmentation.js';
import { loadDataset, requireSolutions } from '../arc/dataset.js';
import {
  applyTaskAugmentation,
  defaultTaskAugmentationWeights,
  drawTaskAugmentation,
  type TaskAugmentationWeights,
} from '../arc/task-augmentation.js';
import type { Dataset, Task } from '../arc/types.js';
import type { Rng } from '../common/rng.js';
import { parseGridEncoder } from '../prompts/grid-encoder.js';
import { PromptBuilder } from '../prompts/prompt-builder.js';
import { getPromptKind } from '../prompts/prompt-kinds.js';
import { type ChatTokenizer, loadTokenizer } from '../prompts/tokenizer.js';
import { TrainingDataError, TrainingOptionsError } from './errors.js';
import { SampleSource, type TrainingPair } from './sample-source.js';

/** A data set file, the prompt kind to make of it, and how often to draw it (default 1). */
export type DatasetPair = readonly [path: string, kind: string, weight?: number];

/** How training tasks are changed before a prompt is made of them. */
export interface TrainingAugmentation {
  readonly swapTrainAndTest: boolean;
  readonly geometric: boolean;
  readonly colors: boolean;
  readonly trainOrder: boolean;
  /** The probability that the task becomes another one by changing only its inputs or outputs. */
  readonly taskProbability: number;
  /** Overrides of the weights of task augmentations. */
  readonly taskWeights?: Partial<TaskAugmentationWeights>;
}

/** Everything a sample depends on, as plain data that can be sent to a worker thread. */
export interface TrainingDataSpec {
  readonly pairs: readonly DatasetPair[];
  /** Factors on the loss by prompt kind or data set label; 1 where absent, multiplied where both are there. */
  readonly lossWeights: Readonly<Record<string, number>>;
  readonly gridEncoder: string;
  /** The folder with tokenizer.json and the chat template. */
  readonly tokenizerFolder: string;
  readonly seed: number;
  readonly maxSeqLen: number;
  readonly removeTrainSamples: boolean;
  readonly augmentation: TrainingAugmentation;
}

/** A data set's name in metrics: that of its file, or its path where two files share a name. */
export function datasetLabels(pairs: readonly DatasetPair[]): string[] {
  const name = (path: string) => basename(path).replace(/\.json$/, '');
  const paths = [...new Set(pairs.map(([path]) => path))];
  return pairs.map(([path]) =>
    paths.some((other) => other !== path && name(other) === name(path)) ? path : name(path),
  );
}

/** Loaded data sets by path, so that a file that occurs twice is read once. */
export type LoadedDatasets = Map<string, Dataset>;

/**
 * Loads the data sets of pairs and checks that they have what their prompt kinds need.
 * @throws {UserError} for an unknown kind, a broken file, or outputs that a kind needs and that are missing
 */
export function loadPairs(pairs: readonly DatasetPair[], loaded: LoadedDatasets = new Map()): LoadedDatasets {
  for (const [path, kindName] of pairs) {
    const kind = getPromptKind(kindName);
    const dataset = loaded.get(path) ?? loadDataset(path);
    loaded.set(path, dataset);
    if (dataset.size === 0) throw new TrainingDataError(`${path}: expected ARC tasks, found none`);
    if (kind.task !== 'input-from-inputs') requireSolutions(dataset, path);
  }
  return loaded;
}

/** @throws {TrainingOptionsError} when a loss weight is for nothing that is trained on */
export function checkLossWeights(
  lossWeights: Readonly<Record<string, number>>,
  pairs: readonly DatasetPair[],
): void {
  const known = [...new Set([...pairs.map(([, kind]) => kind), ...datasetLabels(pairs)])];
  for (const [name, weight] of Object.entries(lossWeights)) {
    if (!known.includes(name)) {
      throw new TrainingOptionsError(
        `--loss_weights: "${name}" is neither a prompt kind nor a data set of --train_datasets. Known: ${known.join(', ')}`,
      );
    }
    if (!Number.isFinite(weight) || weight < 0) {
      throw new TrainingOptionsError(
        `--loss_weights: expected ${name}=number of at least 0, found ${weight}`,
      );
    }
  }
}

/** Pairs with prompts that can be made of them. */
export function buildPairs(
  pairs: readonly DatasetPair[],
  spec: Pick<TrainingDataSpec, 'gridEncoder' | 'lossWeights'>,
  tokenizer: ChatTokenizer,
  loaded: LoadedDatasets,
): TrainingPair[] {
  const encoder = parseGridEncoder(spec.gridEncoder);
  const labels = datasetLabels(pairs);
  return pairs.map(([path, kindName, weight = 1], i) => {
    const label = labels[i]!;
    return {
      label,
      dataset: loaded.get(path)!,
      kind: kindName,
      prompts: new PromptBuilder({ tokenizer, encoder, kind: getPromptKind(kindName) }),
      weight,
      lossWeight: (spec.lossWeights[kindName] ?? 1) * (spec.lossWeights[label] ?? 1),
    };
  });
}

/** Draws the changes of one training task: another task, other test samples, another look. */
export function augmentationOf(options: TrainingAugmentation): (task: Task, rng: Rng) => Task {
  const { geometric, colors, trainOrder, taskProbability } = options;
  // the probability is its own option, so that the counts only say how many transforms a changed task gets
  const counts = (options.taskWeights?.counts ?? defaultTaskAugmentationWeights.counts).with(0, 0);
  const weights = { ...options.taskWeights, counts };
  return (task, rng) => {
    let result = task;
    if (taskProbability > 0 && rng.chance(taskProbability)) {
      result = applyTaskAugmentation(result, drawTaskAugmentation(rng, weights));
    }
    if (options.swapTrainAndTest && result.test.some((sample) => sample.output !== undefined)) {
      result = swapTrainAndTest(result, rng);
    }
    const trainSamples = trainOrder ? result.train.length : undefined;
    const drawOptions: AugmentationOptions = { geometric, colors, trainSamples };
    return augmentTask(result, drawAugmentation(rng, drawOptions));
  };
}

/** The source that a spec describes; in a worker thread it loads its own copy of everything. */
export function openSampleSource(
  spec: TrainingDataSpec,
  tokenizer = loadTokenizer(spec.tokenizerFolder),
  loaded = loadPairs(spec.pairs),
): SampleSource {
  return new SampleSource(buildPairs(spec.pairs, spec, tokenizer, loaded), {
    seed: spec.seed,
    maxSeqLen: spec.maxSeqLen,
    removeTrainSamples: spec.removeTrainSamples,
    augment: augmentationOf(spec.augmentation),
  });
}
