import { pruneModelOptions } from '../../options/other.js';
import { type PruneModelOptions, pruneModel } from '../../tools/prune-model.js';
import type { CommandFile } from '../command.js';

export default {
  options: pruneModelOptions,
  async run(_, options: PruneModelOptions) {
    const { kept, vocabSize } = await pruneModel(options);
    process.stdout.write(`wrote ${options.outputDir} with ${kept.length} of ${vocabSize} tokens\n`);
  },
} satisfies CommandFile;
