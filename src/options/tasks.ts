/** Which tasks are generated, and how difficult they are. */

import { count, file, inputFile, outputFile } from './shapes.js';
import { defineOptions, type OptionTable } from './table.js';

/** No side of a grid of ARC is longer. */
const LONGEST_SIDE = 30;

export const knobOptions = {
  minSize: {
    ...count,
    maximum: LONGEST_SIDE,
    default: 3,
    description:
      'inputs have sides at least this long, in cells, where the rule and `maxSize` leave the choice',
  },
  maxSize: {
    type: 'integer',
    minimum: 3,
    maximum: LONGEST_SIDE,
    default: 10,
    value: 'n',
    description: 'no grid has a longer side, in cells',
  },
  trainSamples: {
    ...count,
    form: 'range',
    maximum: 50,
    default: 3,
    description: 'train samples of each task: a number, or the least and the most, such as 2-5',
  },
  testSamples: { ...count, maximum: 20, default: 1, description: 'test samples of each task' },
  colors: {
    ...count,
    maximum: 9,
    default: 4,
    description: 'colours of a picture besides the background; rules that need more take more',
  },
  objects: {
    ...count,
    maximum: 100,
    default: 4,
    description: 'objects, points or lines of a picture at most; rules that need more take more',
  },
} as const satisfies OptionTable;

const names = { type: 'array', items: { type: 'string' }, separator: ',', value: 'names' } as const;

const generateTasksTable = {
  count: { ...count, maximum: 10_000_000, default: 100, description: 'how many tasks' },
  seed: {
    type: 'integer',
    default: 0,
    value: 'n',
    description: 'random seed: the same seed gives the same tasks',
  },
  generators: { ...names, description: 'only these, in this order; default: all that fit' },
  families: { ...names, description: 'only generators of these families' },
  ...knobOptions,
} as const satisfies OptionTable;

export const generateTasksOptions = /* @__PURE__ */ defineOptions(generateTasksTable);

export const generateTasksToFileOptions = /* @__PURE__ */ defineOptions({
  outputPath: {
    ...outputFile,
    required: true,
    description: 'where to write; …challenges.json gets …solutions.json beside it',
  },
  ...generateTasksTable,
});

export const importOptions = /* @__PURE__ */ defineOptions({
  format: {
    type: 'string',
    enum: ['barc', 'barc-messages', 'code', 'candidates'],
    required: true,
    argument: true,
    value: 'format',
    description:
      'barc = rows {source, examples}; barc-messages = conversations with grids of colour names; code = tasks with programs; candidates = predictions for the tasks of `datasetPath`',
  },
  inputPath: {
    ...inputFile,
    required: true,
    description:
      'JSON lines, or a JSON file; for code also a folder of <id>.py; for candidates a result file',
  },
  outputPath: {
    ...outputFile,
    required: true,
    description: 'the data set: a .json file, or a new folder of files of 10,000 tasks each',
  },
  datasetPath: { ...file, description: 'the tasks that programs without samples, or candidates, are about' },
  nTasks: { ...count, description: 'only the first n tasks' },
  skipInvalid: {
    type: 'boolean',
    default: false,
    description: 'leave out rows that are not as the format says; default: the first one ends the import',
  },
});
