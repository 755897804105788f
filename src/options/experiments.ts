/** What is asked of the records of runs. */
import { pairedStudyOptions } from './evaluation.js';
import { count, folder, htmlFile, texts } from './shapes.js';
import { defineOptions } from './table.js';

export const experimentsOptions = /* @__PURE__ */ defineOptions({
  folder: { ...folder, argument: true, default: '.', description: 'where runs are looked for, at any depth' },
  where: {
    type: 'string',
    value: 'condition',
    description:
      'only these runs: comparisons (= != < <= > >=, ~ = contains) of options, results or status with values, joined by and, or, not and brackets, such as "loraR >= 64 and vote_2 > 0.3"',
  },
  sort: {
    type: 'string',
    value: 'name',
    description: 'by this option, result or fact; default: when they began',
  },
  descending: { type: 'boolean', default: false, description: 'the largest first' },
  columns: {
    ...texts,
    minItems: 1,
    value: 'names',
    description: 'the columns of the table; default: options that differ, and results',
  },
  compare: {
    ...texts,
    minItems: 2,
    value: 'ids',
    description:
      'compare these runs with the first of them, by ids or their beginnings: options that differ, results, and intervals of the differences over tasks',
  },
  metrics: pairedStudyOptions.table.metrics,
  seed: { type: 'integer', default: 0, value: 'n', description: 'random seed of the resamples of intervals' },
  json: { type: 'boolean', default: false, description: 'print JSON: the records, or the comparison' },
  htmlPath: { ...htmlFile, description: 'also write a page with the table, the losses and the comparison' },
});

export const leaderboardOptions = /* @__PURE__ */ defineOptions({
  folder: experimentsOptions.table.folder,
  metric: {
    type: 'string',
    default: 'vote_2',
    value: 'name',
    description: 'the metric that runs are ranked by, such as accuracy, pass_n, vote_1, vote_2',
  },
  where: experimentsOptions.table.where,
  limit: { ...count, off: -1, default: -1, description: 'how many runs, the best; -1 = all' },
});
