/** A submission within a time budget. */

import { adapterSizeOptions } from './adapter.js';
import { augmentationOptions, decodingOptions, predictionOptions, promptVersionOption } from './decoding.js';
import { modelOptions } from './model.js';
import { searchOptions } from './search.js';
import { selectionRules } from './selection.js';
import { count, file, folder, seconds, texts } from './shapes.js';
import { changed, defineOptions, type OptionSpec, type OptionTable, without } from './table.js';
import { fineTuneOptions, stopOptions } from './training.js';

const tune = {
  fineTunePerTask: true,
  fineTuneSteps: 64,
  fineTuneBatchSize: 1,
  fineTuneLossOn: 'every-answer',
  fineTuneLrSchedulerType: 'cosine',
} as const;

/** What a submission does with each task: options by the name of the recipe that sets them. */
export const recipes = {
  /** Predictions of the model as it is, and votes. */
  vote: {},
  /** An adapter for each task, learnt from its train samples as the winners of ARC Prize do, then as many votes. */
  tune,
  /** The same adapter, the likeliest answer under each view, then all that are likely, and scores of all under all. */
  search: { ...tune, predictionsPerTask: 16, searchViews: 16 },
} as const;

const recipeOption = {
  recipe: {
    type: 'string',
    enum: ['vote', 'tune', 'search'],
    default: 'vote',
    value: 'name',
    description:
      'what is done with each task: vote on predictions; tune = fine-tune on each task by itself, then vote; search = tune, predict, then search and score. It sets options: those that are given go before, and `fineTuneSteps: 0` takes the fine-tuning out',
  },
} as const satisfies OptionTable;

const trained = fineTuneOptions.table;

const fineTuning = {
  fineTuneSteps: {
    ...count,
    minimum: 0,
    default: 0,
    description:
      'the most steps of test-time fine-tuning on the train samples of the challenges, or of each task with `fineTunePerTask`; 0 = none',
  },
  fineTunePerTask: {
    type: 'boolean',
    default: false,
    description:
      'fine-tune on each task by itself before it is predicted, from the given adapter or a fresh one, in the process that predicts it',
  },
  fineTuneShare: {
    type: 'number',
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    // It is not known beforehand whether learning or voting pays more; with half of the time for each, neither can
    // get less than half of what would have been best for it.
    default: 0.5,
    value: 'part',
    free: true,
    description:
      'part of the time budget that fine-tuning may take; half for learning and half for voting cannot be far from the best',
  },
  fineTuneGroups: {
    ...count,
    description: 'groups of tasks with an adapter each; default: one for each device',
  },
  fineTuneCheckpoints: {
    ...count,
    default: 10,
    free: true,
    description: 'checkpoints that fine-tuning writes on its way: when its process ends, the newest is used',
  },
  fineTuneGrace: {
    ...seconds,
    free: true,
    description:
      'fine-tuning that takes so much longer than its share is ended; default: a tenth of it, at least 10s',
  },
  fineTuneLearningRate: trained.learningRate,
  fineTuneLrSchedulerType: trained.lrSchedulerType,
  fineTuneBatchSize: trained.batchSize,
  fineTuneLossOn: trained.lossOn,
  fineTuneStopLoss: stopOptions.stopLoss,
  fineTuneStopWhenSolved: stopOptions.stopWhenSolved,
  fineTuneMaxSeqLen: {
    ...trained.maxSeqLen,
    minimum: 2,
    description:
      'longest prompt and answer together in fine-tuning; train samples are left out of longer ones',
  },
} as const satisfies OptionTable;

const searched = searchOptions.table;

/** The search for candidates, which follows the predictions for a test input. */
const searching = {
  searchViews: {
    ...count,
    minimum: 0,
    default: 0,
    description:
      'after its predictions, search for all likely answers to each test input under so many views, and score all candidates under the same; 0 = no search',
  },
  searchThreshold: searched.threshold,
  searchMaxCandidates: searched.maxCandidates,
  searchMaxForwardTokens: searched.maxForwardTokens,
  searchMaxSeconds: {
    ...searched.maxSeconds,
    description:
      'end the search for a test input after this time; with `timeBudget` half of what is left, or of `taskTimeLimit`, ends it in any case',
  },
} as const satisfies OptionTable;

/** What a child process of a submission needs to know. The adapter is not among it: that may change on the way. */
export const workerTable = {
  challengesPath: {
    ...file,
    required: true,
    flag: 'challenges',
    surroundings: true,
    description: 'the test challenges; with known outputs the submission is scored',
  },
  ...without(modelOptions, 'adapterPath'),
  ...promptVersionOption,
  // every answer is a grid, so that none is lost
  ...changed(decodingOptions, { constrained: { default: true } }),
  ...augmentationOptions,
  ...searching,
} as const satisfies OptionTable;

/** How a child process checks its options. */
export const workerOptions = /* @__PURE__ */ defineOptions(workerTable);

/** When a submission gives up on something, and how often it writes: the options that the dispatch of work reads. */
export const policyTable = {
  writeInterval: {
    ...seconds,
    default: 10,
    free: true,
    description: 'time between two writes of submission.json while predictions come in',
  },
  reservedTime: {
    ...seconds,
    free: true,
    description:
      'end of `timeBudget` that is kept for ending the processes and writing the files; default: 2% of it, from 1s to 1m',
  },
  stallTimeout: {
    ...seconds,
    free: true,
    description:
      'a process that gives no sign of life for so long is ended; default: a fifth of `timeBudget`, from 20s to 10m',
  },
  maxProcessFailures: {
    ...count,
    // halving a request until the item that ends its process stands alone takes a few
    default: 8,
    free: true,
    description: 'a process that ends so often in a row without an answer is not started again',
  },
  maxTaskFailures: {
    ...count,
    default: 2,
    free: true,
    description:
      'a task with so many failed predictions gets no more of them, so that the others have the time',
  },
  maxModelFailures: {
    ...count,
    default: 3,
    free: true,
    description:
      'a model with so many failed predictions and no answer is replaced by the next, such as its base',
  },
  taskTimeLimit: {
    ...seconds,
    free: true,
    description:
      'with `fineTunePerTask`: a task that has taken so long comes after all others, and its fine-tuning is shortened to it; default: eight times an equal share of `timeBudget`',
  },
} as const satisfies OptionTable;

const submitTable = {
  ...workerTable,
  ...recipeOption,
  adapterPath: {
    ...modelOptions.adapterPath,
    description: 'a PEFT adapter for it, which fine-tuning continues',
  },
  outputDir: {
    ...folder,
    required: true,
    surroundings: true,
    description: 'where submission.json, failures.json and the fine-tuning go',
  },
  timeBudget: {
    ...seconds,
    surroundings: true,
    description: 'end within 11.5h, 90m or 3600s, with as many predictions as fit',
  },
  resume: {
    type: 'boolean',
    default: false,
    surroundings: true,
    description:
      'continue the submission that was killed or stopped in `outputDir`; `timeBudget` counts the time that it has taken',
  },
  ...changed(predictionOptions, { predictionsPerTask: { default: 32 } }),
  ...fineTuning,
  ...adapterSizeOptions,
  devices: {
    ...texts,
    minItems: 1,
    value: 'names',
    free: true,
    description: 'such as cuda:0 cuda:1, a process for each; default: all GPUs when there are several',
  },
  processes: { ...count, default: 1, free: true, description: 'processes for each device' },
  method: {
    type: 'string',
    enum: selectionRules,
    value: 'rule',
    // candidates are ranked at the end
    free: true,
    description:
      'how candidates are ranked (docs/inference.md); default: sum-logprob where a search has scored them under common views, else count-logprob',
  },
  ...policyTable,
  batchesPerRequest: {
    ...count,
    // few enough to share work evenly, many enough to keep a batch full
    default: 4,
    description:
      'batches that a process is asked for at once at most; changes the last digits of log-probabilities',
  },
} as const satisfies OptionTable;

export const submitOptions = /* @__PURE__ */ defineOptions(submitTable);

/** The options that make an experiment: what the configuration of a Kaggle notebook may set. */
export const experimentOptions = /* @__PURE__ */ defineOptions(
  Object.fromEntries(Object.entries<OptionSpec>(submitTable).filter(([, { surroundings }]) => !surroundings)),
);
