/** What is asked of a model. */
import {
  augmentationOptions,
  decodingOptions,
  nTasksOption,
  predictionOptions,
  promptVersionOption,
} from './decoding.js';
import { modelOptions, seedOption, seedsOption } from './model.js';
import { count, file, folder, htmlFile, inputFile, outputFile, texts } from './shapes.js';
import { changed, defineOptions, type OptionTable, without } from './table.js';

const datasetPath = { ...file, required: true } as const;

export const openModelOptions = /* @__PURE__ */ defineOptions({
  ...modelOptions,
  promptVersion: {
    ...texts,
    single: true,
    default: [],
    value: 'kinds',
    description:
      'the prompt kinds that the model will be used with, for which `pruneVocab` keeps tokens; default: all kinds of grids',
  },
});

const attempts = {
  ...outputFile,
  description: 'where the attempts go; the detailed list goes to ..._task_results.json beside it',
} as const;

const predictTable = {
  ...predictionOptions,
  ...promptVersionOption,
  ...decodingOptions,
  ...augmentationOptions,
} as const satisfies OptionTable;

const inferTable = {
  ...modelOptions,
  datasetPath: { ...datasetPath, description: 'ARC tasks with test inputs; their outputs need not be known' },
  outputPath: { ...attempts, required: true },
  ...nTasksOption,
  ...predictTable,
} as const satisfies OptionTable;

export const sessionInferOptions = /* @__PURE__ */ defineOptions({
  outputPath: attempts,
  ...predictTable,
});

export const inferOptions = /* @__PURE__ */ defineOptions(inferTable);

export const inferEvaluateOptions = /* @__PURE__ */ defineOptions({
  ...inferTable,
  checkpoint: {
    ...folder,
    required: true,
    argument: true,
    value: 'checkpoint',
    description: 'a checkpoint folder of fine-tune',
  },
  modelPath: {
    type: 'string',
    value: 'folder|id',
    description: "a base model instead of the checkpoint's own",
  },
  gridEncoder: {
    type: 'string',
    value: 'expression',
    description: "how grids become text, instead of the checkpoint's own",
  },
  pruneVocab: {
    type: 'boolean',
    description: `${modelOptions.pruneVocab.description}; default: as it was trained`,
  },
  promptVersion: {
    type: 'string',
    value: 'kind',
    description: 'prompt kind; default: the one it was validated with, else trained on',
  },
  datasetPath: { ...file, description: "ARC tasks with solutions; default: the checkpoint's validation set" },
  outputPath: {
    ...outputFile,
    description: 'predictions; default: a name in the checkpoint folder; used when it exists',
  },
});

/** The same with several seeds. */
export const inferEvaluateSeedsOptions = /* @__PURE__ */ defineOptions({
  ...inferEvaluateOptions.table,
  ...seedsOption,
});

export const temperatureStudyOptions = /* @__PURE__ */ defineOptions({
  ...without(inferTable, 'temperature', 'outputPath'),
  temperatures: {
    type: 'array',
    items: { type: 'number', minimum: 0 },
    minItems: 1,
    required: true,
    value: 't',
    description: 'the temperatures that are compared',
  },
  outputDir: {
    ...folder,
    required: true,
    description: 'where the predictions of each temperature go, as inference_t0.7.json',
  },
  ...seedsOption,
});

const drawTable = {
  outputPath: {
    ...outputFile,
    description: 'where the grids go, as JSON: task id to grids with log-probabilities',
  },
  htmlPath: {
    ...htmlFile,
    description: 'a page with a picture of the grids of each task',
  },
  n: { ...count, default: 10, description: 'grids to draw for each task' },
  ...changed(promptVersionOption, { promptVersion: { default: 'input-from-inputs-v0' } }),
  ...changed(decodingOptions, { temperature: { default: 0.9 } }),
} as const satisfies OptionTable;

export const generateInputsOptions = /* @__PURE__ */ defineOptions({
  ...modelOptions,
  datasetPath: { ...datasetPath, description: 'ARC tasks whose inputs are shown to the model' },
  ...nTasksOption,
  ...drawTable,
});

export const generateCodeOptions = /* @__PURE__ */ defineOptions({
  ...modelOptions,
  datasetPath: { ...datasetPath, description: 'ARC tasks whose train samples are shown to the model' },
  ...nTasksOption,
  outputPath: {
    ...outputFile,
    required: true,
    description: 'where the programs go, as JSON: task id to texts with log-probabilities',
  },
  n: { ...count, default: 10, description: 'programs to draw for each task' },
  ...changed(promptVersionOption, { promptVersion: { default: 'code-from-examples-v0' } }),
  ...changed(without(decodingOptions, 'constrained'), {
    temperature: { default: 0.9 },
    maxNewTokens: {
      default: 1024,
      description: 'longest program; one that is longer is cut off and left out',
    },
  }),
});

export const sessionGenerateInputsOptions = /* @__PURE__ */ defineOptions(drawTable);

const scoreTable = {
  outputPath: {
    ...outputFile,
    description: 'where the scores, or the predictions with new log-probabilities, go',
  },
  promptVersion: {
    ...texts,
    single: true,
    default: 'output-from-examples-v1',
    value: 'kinds',
    formerly: ['promptVersions'],
    description: 'prompt kind, or several to compare',
  },
  augmentations: {
    ...count,
    default: 1,
    description: 'score under this many augmentations and take the mean; the first changes nothing',
  },
  maxTokensPerBatch: {
    type: 'integer',
    minimum: 1,
    default: 4096,
    value: 'tokens',
    description: 'tokens of one forward pass; the cache of keys and values has room for four times as many',
  },
  constrained: {
    type: 'boolean',
    default: false,
    description:
      'normalise over the tokens that the grid encoder can read next, as constrained decoding chooses; default: over all',
  },
  ...seedOption,
  ...augmentationOptions,
} as const satisfies OptionTable;

export const scoreOptions = /* @__PURE__ */ defineOptions({
  ...modelOptions,
  datasetPath: {
    ...datasetPath,
    description: 'ARC tasks; their solutions are scored unless predictions are given',
  },
  inputPath: { ...inputFile, description: 'score the predictions of this ..._task_results.json instead' },
  ...scoreTable,
});

export const sessionScoreOptions = /* @__PURE__ */ defineOptions(scoreTable);
