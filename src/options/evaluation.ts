/** What is asked of result files. */
import { selectionRules } from './selection.js';
import { count, file, htmlFile, inputFile, outputFile, texts } from './shapes.js';
import { defineOptions } from './table.js';

const inferencePath = {
  ...file,
  formerly: ['inferenceFilepath'],
  required: true,
  argument: true,
  description: 'inference.json, a submission or ..._task_results.json, also of arc24',
} as const;

const solvedTasks = { ...file, required: true, description: 'ARC tasks with solutions' } as const;

export const evaluateOptions = /* @__PURE__ */ defineOptions({ inferencePath, datasetPath: solvedTasks });

export const studyOptions = /* @__PURE__ */ defineOptions({
  inferencePath,
  datasetPath: solvedTasks,
  seed: { type: 'integer', default: 0, value: 'n', description: "random seed of the study's subsets" },
  repeats: { ...count, default: 16, description: 'subsets drawn for each number of predictions' },
});

const resultFiles = { ...texts, minItems: 1, required: true } as const;

export const pairedStudyOptions = /* @__PURE__ */ defineOptions({
  first: {
    ...resultFiles,
    value: 'files',
    description: 'result files of the first set of runs, one for each seed',
  },
  second: {
    ...resultFiles,
    value: 'files',
    description: 'those of the second set; with equally many, the i-th runs of both are a pair',
  },
  datasetPath: solvedTasks,
  metrics: {
    ...texts,
    minItems: 1,
    value: 'names',
    description: 'metrics to compare; default: accuracy, pass_n, vote_1, vote_2',
  },
  level: {
    type: 'number',
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    default: 0.95,
    value: 'share',
    description: 'the share of resamples that an interval holds',
  },
  repeats: { type: 'integer', minimum: 100, default: 10_000, value: 'n', description: 'resamples' },
  seed: { type: 'integer', default: 0, value: 'n', description: 'random seed of the resamples' },
});

export const compareOptions = /* @__PURE__ */ defineOptions({
  files: {
    ...texts,
    minItems: 2,
    maxItems: 2,
    required: true,
    argument: true,
    value: 'files',
    description: 'two result files, each inference.json or ..._task_results.json',
  },
  tolerance: {
    type: 'number',
    minimum: 0,
    default: 1e-3,
    value: 'nats',
    description: 'how much log-probabilities of detailed lists may differ',
  },
});

export const joinOptions = /* @__PURE__ */ defineOptions({
  inputPaths: {
    ...texts,
    formerly: ['inputFilepaths'],
    required: true,
    argument: true,
    value: 'files',
    description: 'submissions, inference.json and ..._task_results.json files, in any mixture',
  },
  outputPath: {
    ...outputFile,
    required: true,
    description: 'where all attempts go; the detailed list goes to ..._task_results.json beside it',
  },
  datasetPath: { ...file, description: 'the predicted tasks: every file must be about them' },
});

export const selectOptions = /* @__PURE__ */ defineOptions({
  inputPath: {
    ...inputFile,
    required: true,
    argument: true,
    description: 'a pool of predictions: ..._task_results.json, scored, or joined from several',
  },
  datasetPath: solvedTasks,
  rules: {
    type: 'array',
    items: { type: 'string', enum: selectionRules },
    minItems: 1,
    value: 'names',
    description: 'the selection rules to replay; default: all that the pool has the scores for',
  },
  reference: {
    type: 'string',
    enum: selectionRules,
    value: 'name',
    description: 'the rule that the others are compared with; default: count-logprob, or the first',
  },
  seed: { type: 'integer', default: 0, value: 'n', description: 'random seed of the bootstrap' },
  repeats: { ...count, default: 10000, description: 'how often tasks are drawn for the intervals' },
  level: {
    type: 'number',
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    default: 0.95,
    value: 'part',
    description: 'how many of the drawn differences lie in an interval',
  },
  outputPath: { ...outputFile, description: 'also write the study as JSON' },
  htmlPath: { ...htmlFile, description: 'also write a report with its table and plot' },
});
