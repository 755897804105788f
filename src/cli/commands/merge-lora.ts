import { type MergeLoraOptions, mergeLora } from '../../models/merge-lora.js';
import { mergeLoraOptions } from '../../options/other.js';
import type { CommandFile } from '../command.js';

export default {
  options: mergeLoraOptions,
  async run(_, options: MergeLoraOptions) {
    await mergeLora(options);
    process.stdout.write(`wrote ${options.outputDir}\n`);
  },
} satisfies CommandFile;
