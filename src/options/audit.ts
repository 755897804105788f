/** What a training would learn from. */

import { count, outputFile } from './shapes.js';
import { changed, defineOptions } from './table.js';
import { fineTuneOptions } from './training.js';

export const auditOptions = /* @__PURE__ */ defineOptions({
  ...changed(fineTuneOptions.table, {
    modelPath: { description: 'a Hugging Face model folder or hub id, of which only the tokenizer is used' },
    outputDir: { required: undefined, description: 'taken so that the options of a training are; not used' },
  }),
  outputPath: { ...outputFile, description: 'where all counts and findings go, as JSON' },
  maxSamples: { ...count, description: 'look at this many samples at most; default: all of the run' },
});
