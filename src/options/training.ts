/** How a model is trained. */
import { adapterOptions } from './adapter.js';
import { augmentationOptions, promptVersionOption } from './decoding.js';
import { modelOptions, seedOption } from './model.js';
import { count, file, folder, texts } from './shapes.js';
import { changed, defineOptions, type OptionTable, without } from './table.js';

/** The learning-rate schedules, by the names of transformers; `cyclic` is torch's CyclicLR. */
export const scheduleNames = [
  'linear',
  'constant_with_warmup',
  'cosine',
  'cosine_with_restarts',
  'cyclic',
] as const;

const stepOptions = {
  ...seedOption,
  maxSteps: { ...count, required: true, free: true, description: 'optimizer steps of the whole run' },
  learningRate: {
    type: 'number',
    minimum: 0,
    default: 1e-4,
    value: 'rate',
    description: 'the largest learning rate',
  },
  lrSchedulerType: {
    type: 'string',
    enum: scheduleNames,
    default: 'linear',
    value: 'name',
    description: 'learning-rate schedule',
  },
  warmupRatio: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    value: 'part',
    // a way to say how many steps; those are compared
    free: true,
    description: 'part of the steps with a rising learning rate; default: 0.05, with cyclic 0',
  },
  warmupSteps: {
    ...count,
    minimum: 0,
    description: 'the same in steps, instead of `warmupRatio`',
  },
  lrNumCycles: {
    ...count,
    description: 'restarts of cosine_with_restarts, default 1, or triangles of cyclic, default 4',
  },
  batchSize: {
    type: 'integer',
    minimum: 1,
    default: 16,
    value: 'samples',
    description: 'samples per optimizer step',
  },
  maxTokensPerBatch: {
    type: 'integer',
    minimum: 1,
    value: 'tokens',
    description: 'tokens of one forward and backward pass; default: `maxSeqLen`',
  },
  maxGradNorm: {
    type: 'number',
    minimum: 0,
    default: 1,
    value: 'norm',
    description: 'clip gradients to this global norm; 0 = off',
  },
  weightDecay: {
    type: 'number',
    minimum: 0,
    default: 0,
    value: 'rate',
    description: 'decoupled weight decay',
  },
  optim: {
    type: 'string',
    enum: ['adamw', 'adamw_8bit', 'muon'],
    default: 'adamw',
    value: 'name',
    description:
      'adamw_8bit keeps the moments of AdamW in 8 bits: 2 bytes for each trained weight in place of 8, and a little slower; muon orthogonalizes the updates of the matrices of layers, and learns more from the same samples where all weights are trained',
  },
  adamBeta2: {
    type: 'number',
    minimum: 0,
    exclusiveMaximum: 1,
    default: 0.999,
    value: 'b',
    description:
      "how slowly AdamW's mean of squared gradients forgets; a run of a few hundred steps with a large learning rate needs less, such as 0.98",
  },
  gradientCheckpointing: {
    type: 'boolean',
    default: false,
    free: true,
    description:
      'keep of each layer only its input and run it again for the gradient: less memory, more time, the same digits',
  },
} as const satisfies OptionTable;

const weight = { type: 'number', minimum: 0 } as const;

const sampleOptions = {
  removeTrainSamplesToFitMaxSeqLen: {
    type: 'boolean',
    default: false,
    description: 'leave out train samples of tasks that are too long, instead of the task',
  },
  lossWeights: {
    type: 'object',
    form: 'weights',
    value: 'name=weight',
    description: 'factors on the loss by prompt kind or data set',
  },
  lossOn: {
    type: 'string',
    enum: ['last-answer', 'every-answer', 'all'],
    formerValues: { answer: 'last-answer' },
    default: 'last-answer',
    value: 'tokens',
    description:
      'tokens that the loss counts; every-answer = also the outputs of all examples, the first of which nothing explains, or all shown grids where the prompt asks for one more; all = whole prompts, to pretrain a base',
  },
  swapTrainAndTest: {
    type: 'boolean',
    default: true,
    description: 'redraw which samples are the test samples',
  },
  ...augmentationOptions,
  taskAugmentation: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0,
    value: 'p',
    description: 'probability of making another task by changing only inputs or only outputs',
  },
  taskAugmentationWeights: {
    type: 'object',
    properties: {
      counts: { type: 'array', minItems: 2, items: weight },
      kinds: {
        type: 'object',
        properties: {
          geometric: weight,
          padding: weight,
          upscaling: weight,
          mirroring: weight,
          colors: weight,
        },
      },
      sides: { type: 'object', properties: { input: weight, output: weight } },
    },
    value: 'json',
    description: 'e.g. {"kinds":{"geometric":1,"padding":1,"upscaling":1,"mirroring":1,"colors":0}}',
  },
  workers: {
    type: 'integer',
    minimum: 0,
    maximum: 64,
    default: 1,
    value: 'n',
    free: true,
    description: 'threads that make samples ahead of time; 0 = make them between steps',
  },
} as const satisfies OptionTable;

const runOptions = {
  outputDir: {
    ...folder,
    required: true,
    free: true,
    description: 'where checkpoints, metrics.jsonl and logs/ go',
  },
  evalSteps: {
    ...count,
    off: -1,
    default: 100,
    free: true,
    description: 'steps between validation losses; -1 = at the end only',
  },
  saveSteps: {
    ...count,
    off: -1,
    free: true,
    description: 'steps between checkpoints; -1 = at the end only; default: `evalSteps`',
  },
  saveTotalLimit: {
    ...count,
    off: -1,
    default: 3,
    free: true,
    description: 'newest checkpoints that are kept; -1 = all',
  },
  loadBestModelAtEnd: {
    type: 'boolean',
    default: false,
    free: true,
    description:
      'save a checkpoint whenever the validation loss is the lowest so far, keep it, and end with it instead of the newest',
  },
  metricForBestModel: {
    type: 'string',
    value: 'kind',
    free: true,
    description: 'the prompt kind whose validation loss says which checkpoint is best; default: all together',
  },
  earlyStoppingPatience: {
    ...count,
    off: -1,
    default: -1,
    free: true,
    description: 'stop when n validation losses in a row are no lower than the lowest before; -1 = off',
  },
  maxBadSteps: {
    ...count,
    off: -1,
    default: 5,
    free: true,
    description: 'give up after n steps in a row whose gradient is not finite; -1 = never',
  },
  loggingSteps: { ...count, default: 10, free: true, description: 'steps between points of the log' },
  verbose: {
    type: 'boolean',
    default: false,
    free: true,
    description: 'print details: the data, and every validation loss per prompt kind',
  },
  resumeFromCheckpoint: {
    type: 'boolean',
    default: true,
    free: true,
    description:
      "continue the output folder's newest checkpoint; otherwise an earlier run is moved to previous-<n>",
  },
} as const satisfies OptionTable;

const dataOptions = {
  trainDatasets: {
    type: 'array',
    form: 'pairs',
    minItems: 1,
    required: true,
    value: 'values',
    description: 'a data set file, a prompt kind and, if not 1, how often to draw it; may be repeated',
  },
  valDataset: {
    type: 'array',
    form: 'pairs',
    value: 'values',
    free: true,
    description: 'a data set file and a prompt kind for the validation loss; may be repeated',
  },
  maxValSamples: {
    ...count,
    off: -1,
    default: -1,
    free: true,
    description: 'most validation samples per pair; -1 = all',
  },
} as const satisfies OptionTable;

const trainedModelOptions = changed(modelOptions, {
  adapterPath: { description: 'a PEFT adapter to continue from, instead of a fresh one' },
  maxSeqLen: { minimum: 1, default: 4096, description: 'longest prompt and answer together' },
});

export const fineTuneOptions = /* @__PURE__ */ defineOptions({
  ...trainedModelOptions,
  ...dataOptions,
  ...runOptions,
  ...stepOptions,
  ...adapterOptions,
  ...sampleOptions,
});

/** When the fine-tuning on one task ends before its last step. */
export const stopOptions = {
  stopLoss: {
    type: 'number',
    minimum: 0,
    default: 0,
    value: 'loss',
    description: 'stop when the mean loss of the last eight steps is below this; 0 = off',
  },
  stopWhenSolved: {
    ...count,
    off: -1,
    default: -1,
    description:
      'keep one train sample back from the targets, and stop when the model answers its first eight views without a mistake, which is looked at every n steps; -1 = off',
  },
} as const satisfies OptionTable;

export const testTimeFineTuneOptions = /* @__PURE__ */ defineOptions({
  ...changed(
    without(fineTuneOptions.table, 'trainDatasets', 'valDataset', 'maxValSamples', 'swapTrainAndTest'),
    {
      outputDir: { description: 'where n_minus_one.json, checkpoints and logs go' },
      // a sample is worth more than a whole prompt where there are few
      removeTrainSamplesToFitMaxSeqLen: { default: true },
    },
  ),
  datasetPath: {
    ...file,
    required: true,
    description: 'the tasks to be solved: their train samples are learnt',
  },
  perTask: {
    type: 'boolean',
    default: false,
    description:
      'an adapter for each task, in a folder of its name: the model is loaded once and each begins from the same, every train sample in turn as the target; checkpoints, validation and task augmentation are not for it',
  },
  ...stopOptions,
  taskIds: { ...texts, value: 'ids', description: 'only these of the tasks' },
  ...promptVersionOption,
});

/** What does not belong to a folder of checkpoints. */
const heldRunOptions = without(
  runOptions,
  'outputDir',
  'saveSteps',
  'saveTotalLimit',
  'loadBestModelAtEnd',
  'resumeFromCheckpoint',
);

export const sessionFineTuneOptions = /* @__PURE__ */ defineOptions({
  ...dataOptions,
  ...heldRunOptions,
  ...stepOptions,
  lora: adapterOptions.lora,
  ...without(sampleOptions, 'workers'),
  maxSeqLen: trainedModelOptions.maxSeqLen,
});

/** How a model learns one task before it is asked about it. */
export const sessionFineTuneOnTaskOptions = /* @__PURE__ */ defineOptions({
  // whether to keep less for the gradient is decided by the memory
  ...changed(without(stepOptions, 'gradientCheckpointing'), { batchSize: { default: 1 } }),
  maxBadSteps: runOptions.maxBadSteps,
  lossOn: sampleOptions.lossOn,
  ...augmentationOptions,
  ...promptVersionOption,
  maxSeqLen: trainedModelOptions.maxSeqLen,
  lora: adapterOptions.lora,
  ...stopOptions,
});
