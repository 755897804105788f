/** Flows that end in metrics, repeated with several seeds. */
import { inferEvaluateOptions } from './inference.js';
import { startOptions } from './other.js';
import { seedsOption } from './seeds-option.js';
import { defineOptions } from './table.js';

export const inferEvaluateSeedsOptions = /* @__PURE__ */ defineOptions({
  ...inferEvaluateOptions.table,
  ...seedsOption,
});

export const startSeedsOptions = /* @__PURE__ */ defineOptions({ ...startOptions.table, ...seedsOption });
