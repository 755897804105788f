/** The options of the flows around training and inference. */
import { floatTypes } from '../tensors/precision.js';
import { predictionOptions } from './decoding.js';
import { backendOptions, modelOptions, seedOption, seedsOption } from './model.js';
import { selectionRules } from './selection.js';
import { count, file, folder, inputFile, outputFile, texts } from './shapes.js';
import { changed, defineOptions, type OptionTable } from './table.js';

const { backend } = backendOptions;

export const startOptions = /* @__PURE__ */ defineOptions({
  outputDir: { ...folder, default: 'output/start', description: 'where everything goes' },
  modelPath: { ...folder, description: 'the model to fine-tune; default: the small one of this package' },
  backend: { ...backend, description: 'tensor backend; default: ARCLAB_BACKEND, else wasm' },
  ...seedOption,
  level: {
    type: 'string',
    enum: ['standard', 'hard'],
    default: 'standard',
    value: 'name',
    description:
      'standard = four rules of 4×4 grids; hard = eight rules of grids of up to 6×6, with more colours',
  },
  trainTasks: { ...count, default: 3200, description: 'tasks to learn from' },
  valTasks: { ...count, default: 64, description: 'tasks to be measured on' },
  maxSteps: { ...count, description: 'optimizer steps; default: as many as the level takes' },
  tuneSteps: {
    ...count,
    minimum: 0,
    description:
      'steps of fine-tuning on each measured task by itself, for rows of the report; 0 = none; default: 0, at the hard level 32',
  },
  ...changed(predictionOptions, {
    predictionsPerTask: { description: 'predictions for each test input' },
  }),
});

/** The same with several seeds. */
export const startSeedsOptions = /* @__PURE__ */ defineOptions({ ...startOptions.table, ...seedsOption });

export const voteOptions = /* @__PURE__ */ defineOptions({
  inputPath: {
    ...inputFile,
    required: true,
    description:
      'predictions: inference_task_results.json, or inference.json or a submission without log-probabilities',
  },
  outputPath: {
    ...outputFile,
    description: 'the winners; default: inference_vote_<n>.json beside the input',
  },
  n: { ...count, default: 2, description: 'winners for each test input' },
  method: {
    type: 'string',
    enum: selectionRules,
    value: 'rule',
    description:
      'how candidates are ranked (docs/inference.md); default: sum-logprob where all are scored under common views, else count-logprob',
  },
  datasetPath: {
    ...file,
    description: 'the predicted tasks: for metrics when they have solutions, and for a submission',
  },
  submissionPath: {
    ...file,
    formerly: ['submissionFilepath'],
    description: 'also write a submission: every test input of `datasetPath`, with two attempts',
  },
});

export const initModelOptions = /* @__PURE__ */ defineOptions({
  outputDir: { ...folder, required: true, description: 'a new folder for the model' },
  architecture: {
    type: 'string',
    default: 'qwen2',
    value: 'name',
    description: 'the family of the decoder, as `model_type` of config.json',
  },
  hiddenSize: { ...count, default: 128, description: 'width of the hidden states' },
  numLayers: { ...count, default: 4, description: 'number of blocks' },
  numHeads: { ...count, description: 'query heads; default: one for each 32 of the width' },
  numKeyValueHeads: { ...count, description: 'key-value heads; default: half of the query heads' },
  intermediateSize: {
    ...count,
    description: 'width of the feed-forward; default: 8/3 of the hidden size, in steps of 64',
  },
  vocabSize: { ...count, default: 512, description: 'tokens of the tokenizer, trained on our own prompts' },
  maxPositionEmbeddings: { ...count, default: 8192, description: 'longest sequence, in tokens' },
  ropeTheta: {
    type: 'number',
    minimum: 1,
    default: 10000,
    value: 'x',
    description: 'base of the rotary frequencies',
  },
  tieWordEmbeddings: { type: 'boolean', default: true, description: 'use the embedding table as the head' },
  seed: { type: 'integer', default: 0, value: 'n', description: 'random seed of the weights' },
});

const { modelPath, adapterPath } = modelOptions;

export const mergeLoraOptions = /* @__PURE__ */ defineOptions({
  modelPath: { ...modelPath, description: 'the base: a Hugging Face model folder or hub id' },
  adapterPath: {
    ...adapterPath,
    required: true,
    description: 'a PEFT adapter (LoRA, rsLoRA or DoRA) for that base',
  },
  outputDir: { ...folder, required: true, description: 'a new folder for the merged model' },
  dtype: {
    type: 'string',
    enum: floatTypes,
    value: 'type',
    description: 'how weights are saved; default: as in the base',
  },
  backend,
} satisfies OptionTable);

const { gridEncoder } = modelOptions;

export const pruneModelOptions = /* @__PURE__ */ defineOptions({
  modelPath: { ...modelPath, description: 'the model to cut: a Hugging Face model folder or hub id' },
  outputDir: { ...folder, required: true, description: 'a new folder for the cut model' },
  promptVersion: {
    ...texts,
    default: [],
    value: 'kind',
    description:
      'the prompt kinds whose tokens are kept; output-from-examples-bare keeps hardly more than digits; default: all kinds',
  },
  gridEncoder,
  dtype: mergeLoraOptions.table.dtype,
  backend,
} satisfies OptionTable);

export const moveAdapterOptions = /* @__PURE__ */ defineOptions({
  adapterPath: { ...adapterPath, required: true, description: "the adapter, in PEFT's format" },
  modelPath: { ...modelPath, description: 'the model that it was made for' },
  toModelPath: {
    ...modelPath,
    description: 'the model that it is wanted for: the same with another vocabulary, such as a pruned one',
  },
  outputDir: { ...folder, required: true, description: 'a new folder for the adapter' },
} satisfies OptionTable);

export const doctorOptions = /* @__PURE__ */ defineOptions({
  modelPath: {
    type: 'string',
    value: 'folder|id',
    description: 'also say what memory this model takes, predicted and measured by loading it',
  },
  dtype: { ...backendOptions.dtype, description: 'the type in which it is loaded; default: float32' },
  weights: backendOptions.weights,
  maxSeqLen: {
    ...count,
    default: 4096,
    value: 'tokens',
    description: 'the longest sample, for which the memory of a step of training is predicted',
  },
  backend,
  device: backendOptions.device,
} satisfies OptionTable);
