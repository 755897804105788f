/** The search for likely answers. */
import { augmentationOptions, decodingOptions, nTasksOption, promptVersionOption } from './decoding.js';
import { modelOptions } from './model.js';
import { count, file, outputFile, seconds } from './shapes.js';
import { defineOptions, type OptionTable } from './table.js';

const { batchSize, maxNewTokens, constrained, seed } = decodingOptions;

const searchTable = {
  threshold: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1,
    default: 0.1,
    value: 'p',
    description: 'the least probability of an answer under a view, what a grammar forces counted as certain',
  },
  views: {
    ...count,
    default: 8,
    description: 'prompts for each test input: the first of the plain task, the others of augmented ones',
  },
  maxCandidates: { ...count, description: 'end the search for a test input after this many different grids' },
  maxForwardTokens: {
    ...count,
    description: 'end the search for a test input after this many tokens were fed, prompts included',
  },
  maxSeconds: {
    ...seconds,
    description:
      'end the search for a test input after this time, which it shares with those of the same forward passes',
  },
  guess: {
    type: 'boolean',
    default: true,
    description: 'feed guessed tokens behind each branch: fewer forward passes, the same result',
  },
  ...promptVersionOption,
  ...{ batchSize: { ...batchSize, description: 'branches followed in parallel' } },
  ...{ maxNewTokens, constrained, seed },
  ...augmentationOptions,
} as const satisfies OptionTable;

const outputPath = {
  ...outputFile,
  description: 'where the candidates go; the detailed list goes to ..._task_results.json beside it',
} as const;

export const searchOptions = /* @__PURE__ */ defineOptions({
  ...modelOptions,
  datasetPath: {
    ...file,
    required: true,
    description: 'ARC tasks with test inputs; their outputs need not be known',
  },
  outputPath: { ...outputPath, required: true },
  ...nTasksOption,
  ...searchTable,
});

export const sessionSearchOptions = /* @__PURE__ */ defineOptions({ outputPath, ...searchTable });
