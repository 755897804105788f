import { type PruneModelOptions, pruneModel } from '../../experiments/prune-model.js';
import { pruneModelOptions } from '../../options/other.js';
import type { CommandFile } from '../command.js';

export default {
  options: pruneModelOptions,
  async run(_, options: PruneModelOptions) {
    const { kept, vocabSize } = await pruneModel(options);
    process.stdout.write(`wrote ${options.outputDir} with ${kept.length} of ${vocabSize} tokens\n`);
  },
} satisfies CommandFile;
