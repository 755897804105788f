/** What a training would learn from. */
import { changed, defineOptions } from './table.js';
import { fineTuneOptions } from './training.js';

export const auditOptions = /* @__PURE__ */ defineOptions({
  ...changed(fineTuneOptions.table, {
    modelPath: { description: 'a Hugging Face model folder or hub id, of which only the tokenizer is used' },
    outputDir: { required: undefined, description: 'taken so that the options of a training are; not used' },
  }),
  outputPath: {
    formerly: ['outputFilepath'],
    type: 'string',
    value: 'file',
    description: 'where all counts and findings go, as JSON',
  },
  maxSamples: {
    type: 'integer',
    minimum: 1,
    value: 'n',
    description: 'look at this many samples at most; default: all of the run',
  },
});
