/** How answers are decoded, and under which views of a task a model is asked. */
import { seedOption } from './model.js';
import { count } from './shapes.js';
import type { OptionTable } from './table.js';

/** More predictions for one test input than this are a typing error: they would take days. */
const MOST_PREDICTIONS = 100_000;

export const decodingOptions = {
  temperature: {
    type: 'number',
    minimum: 0,
    default: 0,
    value: 't',
    label: 't',
    description: "0 = the most likely token; 1 = the model's own distribution",
  },
  topK: {
    ...count,
    off: -1,
    default: -1,
    label: 'topk',
    description: 'draw among the n most likely tokens; -1 = off',
  },
  topP: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1,
    default: 1,
    value: 'p',
    label: 'topp',
    description: 'draw among the most likely tokens that together have this probability; 1 = off',
  },
  minP: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0,
    value: 'p',
    label: 'minp',
    description: 'draw among tokens at least this many times as likely as the most likely one; 0 = off',
  },
  batchSize: { ...count, default: 8, description: 'sequences decoded in parallel' },
  maxNewTokens: {
    ...count,
    label: 'out',
    formerly: ['maxOutputTokens'],
    description: 'longest answer; default: enough for the largest grid',
  },
  constrained: {
    type: 'boolean',
    default: false,
    label: 'constrained',
    description: 'let the model write only what the grid encoder can read',
  },
  ...seedOption,
} as const satisfies OptionTable;

/** What a view may change; the rule of a task stays the same under all of it. */
export const augmentationOptions = {
  geometricAugmentation: {
    type: 'boolean',
    default: true,
    label: 'geometric',
    description: 'flip and rotate tasks',
  },
  colorAugmentation: { type: 'boolean', default: true, label: 'color', description: 'permute colours' },
  orderAugmentation: {
    type: 'boolean',
    default: true,
    label: 'order',
    description: 'permute train samples',
  },
} as const satisfies OptionTable;

export const promptVersionOption = {
  promptVersion: {
    type: 'string',
    default: 'output-from-examples-v1',
    value: 'kind',
    description: 'prompt kind',
  },
} as const satisfies OptionTable;

export const predictionOptions = {
  predictionsPerTask: {
    ...count,
    maximum: MOST_PREDICTIONS,
    default: 8,
    description:
      'for each test input: the first of the plain task, the others of augmented ones; with greedy decoding at most as many as there are different views',
  },
} as const satisfies OptionTable;

export const nTasksOption = {
  nTasks: { ...count, label: 'first', description: 'only the first n tasks of the data set' },
} as const satisfies OptionTable;
