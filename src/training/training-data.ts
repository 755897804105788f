import { basename } from 'node:path';
import { augmentTask, drawAugmentation, swapTrainAndTest } from '../arc/augmentation.js';
import { loadDataset, requireCode, requireSolutions } from '../arc/dataset.js';
import {
  applyTaskAugmentation,
  defaultTaskAugmentationWeights,
  drawTaskAugmentation,
  type TaskAugmentation,
  type TaskAugmentationWeights,
} from '../arc/task-augmentation.js';
import type { Dataset, Task } from '../arc/types.js';
import { OptionError } from '../common/option-names.js';
import { Rng } from '../common/rng.js';
import type { DatasetPair } from '../options/table.js';
import { parseGridEncoder } from '../prompts/grid-encoder.js';
import { loadTokenizer } from '../prompts/load-tokenizer.js';
import { PromptBuilder } from '../prompts/prompt-builder.js';
import type { PromptTask } from '../prompts/prompt-kind.js';
import { getPromptKind } from '../prompts/prompt-kinds.js';
import { hasCode, needsOutputs } from '../prompts/prompt-tasks.js';
import type { ChatTokenizer } from '../prompts/tokenizer.js';
import { withCandidates } from './candidates.js';
import { TrainingDataError } from './errors.js';
import type { FineTuneConfig } from './options.js';
import { type ChangedTask, SampleSource, type TrainingPair, wantedAnswers } from './sample-source.js';

/** How training tasks are changed before a prompt is made of them. */
export type TrainingAugmentation = Pick<
  FineTuneConfig,
  | 'swapTrainAndTest'
  | 'geometricAugmentation'
  | 'colorAugmentation'
  | 'orderAugmentation'
  | 'taskAugmentation'
  | 'taskAugmentationWeights'
>;

/** Everything a sample depends on, as plain data that can be sent to a worker thread. */
export type TrainingDataSpec = TrainingAugmentation &
  Pick<
    FineTuneConfig,
    'lossWeights' | 'gridEncoder' | 'seed' | 'lossOn' | 'maxSeqLen' | 'removeTrainSamplesToFitMaxSeqLen'
  > & {
    readonly pairs: readonly DatasetPair[];
    /** The data sets of pairs that are in no file. */
    readonly datasets?: LoadedDatasets;
    /** The folder with tokenizer.json and the chat template. */
    readonly tokenizerFolder: string;
  };

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

/** A data set, given or by its file, a prompt kind, and how often the pair is drawn where it is not once. */
export type DataPair = readonly [data: string | Dataset, kind: string, weight?: number];

/** Options of a training in which data sets may be values. */
export type WithDatasets<O> = Omit<O, 'trainDatasets' | 'valDataset'> & {
  trainDatasets: readonly DataPair[];
  valDataset?: readonly DataPair[] | undefined;
};

/** Gives data sets that are values a name in place of a path; `values` has them by it. */
export function nameDatasets<O extends WithDatasets<object>>({ trainDatasets, valDataset, ...others }: O) {
  const values: LoadedDatasets = new Map();
  const nameOf = (data: string | Dataset) => {
    if (typeof data === 'string') return data;
    const known = [...values].find(([, dataset]) => dataset === data);
    const name = known?.[0] ?? `data set ${values.size + 1}`;
    values.set(name, data);
    return name;
  };
  const named = (pairs: unknown) =>
    // what is no list of pairs is refused by the table of options
    Array.isArray(pairs)
      ? pairs.map((pair) => (Array.isArray(pair) ? [nameOf(pair[0]), ...pair.slice(1)] : pair))
      : pairs;
  const given = { ...others, trainDatasets: named(trainDatasets), valDataset: named(valDataset) };
  return { given: given as unknown as Omit<O, 'trainDatasets' | 'valDataset'> & NamedDatasets, values };
}

interface NamedDatasets {
  trainDatasets: readonly DatasetPair[];
  valDataset?: readonly DatasetPair[] | undefined;
}

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
    if (needsOutputs(kind.task)) requireSolutions(dataset, path);
    if (hasCode(kind.task)) requireCode(dataset, path);
  }
  return loaded;
}

/** @throws {OptionError} when a loss weight is for nothing that is trained on */
export function checkLossWeights(
  lossWeights: Readonly<Record<string, number>>,
  pairs: readonly DatasetPair[],
): void {
  const known = [...new Set([...pairs.map(([, kind]) => kind), ...datasetLabels(pairs)])];
  const unknown = Object.keys(lossWeights).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new OptionError('lossWeights', {
    hint: `"${unknown}" is neither a prompt kind nor a data set of \`trainDatasets\`. Known: ${known.join(', ')}`,
  });
}

const probeSample = { input: [[0, 1]], output: [[2, 3]] };
/** A task that every prompt kind can show: what cannot be trained on is said before a model is loaded. */
const probe: Task = { train: [probeSample, probeSample], test: [probeSample], code: 'code' };

/** Pairs with prompts that can be made of them. @throws {UserError} when the wanted answers cannot be found in them */
export function buildPairs(
  pairs: readonly DatasetPair[],
  spec: Pick<TrainingDataSpec, 'gridEncoder' | 'lossOn' | 'lossWeights'>,
  tokenizer: ChatTokenizer,
  loaded: LoadedDatasets,
): TrainingPair[] {
  const encoder = parseGridEncoder(spec.gridEncoder);
  const labels = datasetLabels(pairs);
  return pairs.map(([path, kindName, weight = 1], i) => {
    const label = labels[i]!;
    const kind = getPromptKind(kindName);
    const prompts = new PromptBuilder({ tokenizer, encoder, kind });
    const shown = withCandidates(probe, 0, kind.task, Rng.of(0));
    prompts.training(shown, 0, wantedAnswers(spec));
    return {
      label,
      dataset: loaded.get(path)!,
      kind: kindName,
      asksFor: kind.task,
      prompts,
      weight,
      lossWeight: (spec.lossWeights[kindName] ?? 1) * (spec.lossWeights[label] ?? 1),
    };
  });
}

/** How tasks may be changed for prompts of a task: code says directions and colours, so grids beside it stay. */
export function changesFor<T extends Partial<TrainingAugmentation>>(options: T, asksFor: PromptTask): T {
  if (!hasCode(asksFor)) return options;
  return { ...options, geometricAugmentation: false, colorAugmentation: false, taskAugmentation: 0 };
}

/** Draws the changes of one training task: another task, other test samples, an augmentation. */
export function augmentationOf(
  options: TrainingAugmentation,
): (task: Task, rng: Rng, asksFor: PromptTask) => ChangedTask {
  const given = options.taskAugmentationWeights as Partial<TaskAugmentationWeights> | undefined;
  // the probability is its own option, so that the counts only say how many transforms a changed task gets
  const counts = (given?.counts ?? defaultTaskAugmentationWeights.counts).with(0, 0);
  const weights = { ...given, counts };
  return (task, rng, asksFor) => {
    const changes = changesFor(options, asksFor);
    const { geometricAugmentation, colorAugmentation, orderAugmentation } = changes;
    let result = task;
    let taskAugmentation: TaskAugmentation | undefined;
    if (changes.taskAugmentation > 0 && rng.chance(changes.taskAugmentation)) {
      taskAugmentation = drawTaskAugmentation(rng, weights);
      result = applyTaskAugmentation(result, taskAugmentation);
    }
    if (changes.swapTrainAndTest && result.test.some((sample) => sample.output !== undefined)) {
      result = swapTrainAndTest(result, rng);
    }
    const trainSamples = orderAugmentation ? result.train.length : undefined;
    const view = drawAugmentation(rng, { geometricAugmentation, colorAugmentation, trainSamples });
    return { task: augmentTask(result, view), view, ...(taskAugmentation ? { taskAugmentation } : {}) };
  };
}

/** The source that a spec describes; in a worker thread it loads its own copy of everything. */
export function openSampleSource(
  spec: TrainingDataSpec,
  tokenizer = loadTokenizer(spec.tokenizerFolder),
  loaded = loadPairs(spec.pairs, spec.datasets),
): SampleSource {
  return new SampleSource(buildPairs(spec.pairs, spec, tokenizer, loaded), {
    ...spec,
    augment: augmentationOf(spec),
  });
}
