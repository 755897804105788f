import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { defaultTaskAugmentationWeights, type TaskAugmentationWeights } from '../arc/task-augmentation.js';
import { compileSchema } from '../common/schema.js';
import type { FloatType } from '../tensors/precision.js';
import { TrainingOptionsError } from './errors.js';
import type { LossOn } from './packing.js';
import { parseScheduleName, type ScheduleName } from './schedules.js';
import type { DatasetPair } from './training-data.js';

/** Options of a fine-tuning run; each is the flag of the same name in snake_case. */
export interface FineTuneOptions {
  /** A Hugging Face model folder or hub id. */
  modelPath: string;
  /** The folder or hub id of a PEFT adapter to continue from, instead of a fresh one. */
  adapterPath?: string;
  /** (data set, prompt kind[, weight]) pairs to train on. */
  trainDatasets: readonly DatasetPair[];
  /** Pairs to measure the validation loss on. */
  valDataset?: readonly DatasetPair[];
  gridEncoder?: string;
  outputDir: string;
  /** Optimizer steps of the whole run. */
  maxSteps: number;
  /** Measure the validation loss every so many steps (and at the end); -1 = at the end only. */
  evalSteps?: number;
  loggingSteps?: number;
  /** Write a checkpoint every so many steps (and at the end); -1 = at the end only; default evalSteps. */
  saveSteps?: number;
  /** Tell about the data and every validation loss per prompt kind. */
  verbose?: boolean;
  /** Continue the newest checkpoint of the output folder. */
  resumeFromCheckpoint?: boolean;
  removeTrainSamplesToFitMaxSeqLen?: boolean;
  /** The longest prompt and answer together, in tokens. */
  maxSeqLen?: number;
  /** Give embeddings and head only to the tokens that prompts and answers can have. */
  pruneVocab?: boolean;
  backend?: string;
  /** `cpu`, `cuda` or `cuda:N`; default: the first GPU that the backend can use, else the CPU. */
  device?: string;
  /** What frozen weights and activations are kept in; default float32. Adapters and moments stay in float32. */
  torchDtype?: FloatType;
  /** Keep of each layer only its input and run it again for the gradient: less memory, more time, the same digits. */
  gradientCheckpointing?: boolean;
  seed?: number;
  learningRate?: number;
  lrSchedulerType?: string;
  warmupRatio?: number;
  /** Instead of warmupRatio. */
  warmupSteps?: number;
  /** Restarts of cosine_with_restarts (default 1) or triangles of cyclic (default 4). */
  lrNumCycles?: number;
  /** Samples per optimizer step. */
  batchSize?: number;
  /** Tokens per forward and backward pass; default maxSeqLen. */
  maxTokensPerBatch?: number;
  /** 0 = off. */
  maxGradNorm?: number;
  weightDecay?: number;
  /** Train a LoRA adapter; otherwise all weights. */
  useLora?: boolean;
  loraR?: number;
  loraAlpha?: number;
  loraDropout?: number;
  /** Projections that get an adapter, by the end of their names. */
  loraTargetModules?: readonly string[];
  loraWeightInitialization?: string;
  useRslora?: boolean;
  useDora?: boolean;
  /** Factors on the loss, by prompt kind or data set. */
  lossWeights?: Readonly<Record<string, number>>;
  lossOn?: LossOn;
  swapTrainAndTest?: boolean;
  geometricAugmentation?: boolean;
  colorAugmentation?: boolean;
  orderAugmentation?: boolean;
  /** The probability that a task becomes another one by changing only its inputs or its outputs. */
  taskAugmentation?: number;
  taskAugmentationWeights?: Partial<TaskAugmentationWeights>;
  /** The most validation samples per pair; -1 = all. */
  maxValSamples?: number;
  /** Threads that make samples ahead of time; 0 = make them between steps. */
  workers?: number;
}

type MayBeAbsent = 'adapterPath' | 'backend' | 'device' | 'torchDtype' | 'taskAugmentationWeights';

/** Options with every default filled in: what cfg.json of a checkpoint holds. */
export type FineTuneConfig = Required<Omit<FineTuneOptions, MayBeAbsent>> &
  Pick<FineTuneOptions, MayBeAbsent> & {
    lrSchedulerType: ScheduleName;
    loraWeightInitialization: LoraInitialization;
  };

const loraInitializations = ['default', 'gaussian', 'pissa'] as const;
type LoraInitialization = (typeof loraInitializations)[number];

/** What an option is when it is not given, and what depends on no other option. */
export const fineTuneDefaults = {
  gridEncoder: 'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
  evalSteps: 100,
  loggingSteps: 10,
  verbose: false,
  resumeFromCheckpoint: true,
  removeTrainSamplesToFitMaxSeqLen: false,
  maxSeqLen: 4096,
  pruneVocab: false,
  seed: 7,
  learningRate: 1e-4,
  lrSchedulerType: 'linear',
  warmupRatio: 0.05,
  batchSize: 16,
  maxGradNorm: 1,
  gradientCheckpointing: false,
  weightDecay: 0,
  useLora: true,
  loraR: 32,
  loraAlpha: 64,
  loraDropout: 0,
  loraTargetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] as readonly string[],
  loraWeightInitialization: 'default',
  useRslora: false,
  useDora: false,
  lossOn: 'answer' as LossOn,
  swapTrainAndTest: true,
  geometricAugmentation: true,
  colorAugmentation: true,
  orderAugmentation: true,
  taskAugmentation: 0,
  maxValSamples: -1,
  workers: 1,
} as const;

const weight = { type: 'number', minimum: 0 };
const weightsByName = (names: object) => ({
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(Object.keys(names).map((name) => [name, weight])),
});

const validateTaskWeights = compileSchema<Partial<TaskAugmentationWeights>>(
  {
    type: 'object',
    additionalProperties: false,
    properties: {
      counts: { type: 'array', minItems: 2, items: weight },
      kinds: weightsByName(defaultTaskAugmentationWeights.kinds),
      sides: weightsByName(defaultTaskAugmentationWeights.sides),
    },
  },
  'weights of task augmentations',
);

/** @throws {UserError} when weights are of unknown things, or leave nothing to draw */
function checkTaskWeights(given: Partial<TaskAugmentationWeights>): void {
  const flag = '--task_augmentation_weights';
  const { counts, kinds, sides } = validateTaskWeights(given, flag);
  for (const [name, list] of Object.entries({ counts: counts?.slice(1), kinds, sides })) {
    if (list && !Object.values(list).some((value) => value > 0)) {
      const where = name === 'counts' ? 'counts beyond the first' : name;
      throw new TrainingOptionsError(`${flag}: expected a positive weight in ${where}`);
    }
  }
}

/** A path that means the same from any working directory; a hub id stays as it is. */
function absolute(path: string): string {
  return existsSync(path) ? resolve(path) : path;
}

const absolutePairs = (pairs: readonly DatasetPair[]): DatasetPair[] =>
  pairs.map(([path, kind, weight]) =>
    weight === undefined ? [absolute(path), kind] : [absolute(path), kind, weight],
  );

/** Fills in the defaults and checks what needs no file. @throws {TrainingOptionsError} naming the flag */
export function fineTuneConfig(options: FineTuneOptions): FineTuneConfig {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const o = { ...fineTuneDefaults, ...given } as FineTuneOptions &
    Required<Pick<FineTuneOptions, keyof typeof fineTuneDefaults>>;
  if (o.trainDatasets.length === 0) {
    throw new TrainingOptionsError(
      '--train_datasets: expected at least one pair of a data set file and a prompt kind',
    );
  }
  const lrSchedulerType = parseScheduleName(o.lrSchedulerType);
  const warmupGiven = (options.warmupSteps ?? 0) > 0 || (options.warmupRatio ?? 0) > 0;
  if (lrSchedulerType === 'cyclic' && warmupGiven) {
    throw new TrainingOptionsError(
      '--warmup_steps: the cyclic schedule rises by itself; leave the warmup out',
    );
  }
  const warmupRatio = lrSchedulerType === 'cyclic' ? 0 : o.warmupRatio;
  if (!(loraInitializations as readonly string[]).includes(o.loraWeightInitialization)) {
    throw new TrainingOptionsError(
      `--lora_weight_initialization: unknown "${o.loraWeightInitialization}". Known: ${loraInitializations.join(', ')}`,
    );
  }
  if (o.useLora && o.useDora && o.loraWeightInitialization === 'pissa' && o.adapterPath === undefined) {
    throw new TrainingOptionsError('--use_dora cannot be combined with --lora_weight_initialization pissa');
  }
  if (!o.useLora && (o.useDora || o.useRslora)) {
    throw new TrainingOptionsError(
      `--no-use_lora trains all weights and has no adapter for ${o.useDora ? '--use_dora' : '--use_rslora'}; leave one of the two out`,
    );
  }
  if (o.adapterPath !== undefined && !o.useLora) {
    throw new TrainingOptionsError(
      '--adapter_path cannot be combined with --no-use_lora; merge the adapter first',
    );
  }
  if (!['answer', 'all'].includes(o.lossOn)) {
    throw new TrainingOptionsError(`--loss_on: expected answer or all, found "${o.lossOn}"`);
  }
  if (o.taskAugmentationWeights) checkTaskWeights(o.taskAugmentationWeights);
  const config: FineTuneConfig = {
    ...o,
    lrSchedulerType,
    loraWeightInitialization: o.loraWeightInitialization as LoraInitialization,
    modelPath: absolute(o.modelPath),
    ...(o.adapterPath === undefined ? {} : { adapterPath: absolute(o.adapterPath) }),
    trainDatasets: absolutePairs(o.trainDatasets),
    valDataset: absolutePairs(o.valDataset ?? []),
    outputDir: resolve(o.outputDir),
    saveSteps: o.saveSteps ?? o.evalSteps,
    warmupRatio,
    warmupSteps: o.warmupSteps ?? Math.ceil(warmupRatio * o.maxSteps),
    lrNumCycles: o.lrNumCycles ?? (lrSchedulerType === 'cyclic' ? 4 : 1),
    maxTokensPerBatch: o.maxTokensPerBatch ?? o.maxSeqLen,
    lossWeights: o.lossWeights ?? {},
  };
  checkNumbers(config);
  return config;
}

/** Options as the command line spells them: `maxSteps` → `max_steps`. */
export const flagName = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function checkNumbers(config: FineTuneConfig): void {
  const whole = (value: number) => Number.isInteger(value) && value >= 1;
  const orOff = (value: number) => whole(value) || value === -1;
  const notNegative = (value: number) => Number.isFinite(value) && value >= 0;
  const rules: [(keyof FineTuneConfig)[], (value: number) => boolean, string][] = [
    [
      ['maxSteps', 'loggingSteps', 'maxSeqLen', 'batchSize', 'maxTokensPerBatch', 'loraR', 'lrNumCycles'],
      whole,
      'an integer of at least 1',
    ],
    [['evalSteps', 'saveSteps', 'maxValSamples'], orOff, 'an integer of at least 1, or -1'],
    [
      ['learningRate', 'warmupSteps', 'maxGradNorm', 'weightDecay', 'workers'],
      notNegative,
      'a number of at least 0',
    ],
    [['loraAlpha'], (value) => Number.isFinite(value) && value > 0, 'a number above 0'],
    [['loraDropout'], (value) => value >= 0 && value < 1, 'a number from 0 to below 1'],
    [['warmupRatio', 'taskAugmentation'], (value) => value >= 0 && value <= 1, 'a number from 0 to 1'],
    [['seed'], Number.isSafeInteger, 'an integer'],
  ];
  for (const [names, holds, expected] of rules) {
    for (const name of names) {
      const value = config[name] as number;
      if (!holds(value))
        throw new TrainingOptionsError(`--${flagName(name)}: expected ${expected}, found ${value}`);
    }
  }
  const weighted = config.valDataset.find(([, , weight]) => weight !== undefined);
  if (weighted) {
    throw new TrainingOptionsError(
      `--val_dataset: every sample counts once, expected no weight for ${weighted[0]}, found ${weighted[2]}`,
    );
  }
  for (const [path, , weight] of config.trainDatasets) {
    if (weight !== undefined && !(weight > 0 && Number.isFinite(weight))) {
      throw new TrainingOptionsError(
        `--train_datasets: expected a positive weight for ${path}, found ${weight}`,
      );
    }
  }
}

/** Options that may differ when a run is continued: they change what is told and stored, not what is learned. */
const free = new Set<string>([
  'outputDir',
  'valDataset',
  'maxValSamples',
  'evalSteps',
  'loggingSteps',
  'saveSteps',
  'verbose',
  'resumeFromCheckpoint',
  'backend',
  'device',
  'gradientCheckpointing',
  'workers',
  'maxSteps',
]);

/** What differs between a run and the options to continue it with, in words; empty when they match. */
export function configDifferences(
  before: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  // a ratio is only a way to say how many steps; these are compared unless the run's length changes
  const skip = new Set([...free, 'warmupRatio']);
  if (before.maxSteps !== now.maxSteps) skip.add('warmupSteps');
  return names.flatMap((name) => {
    const [a, b] = [JSON.stringify(before[name]), JSON.stringify(now[name])];
    return a === b || skip.has(name)
      ? []
      : [`--${flagName(name)} was ${a ?? 'not given'} and is ${b ?? 'not given'}`];
  });
}
