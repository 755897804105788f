import { Option } from 'commander';
import { type InitModelOptions, initModel } from '../../models/init-model.js';
import { writeTokenizer } from '../../prompts/train-tokenizer.js';
import { type CommandFile, integer, number, toggle } from '../command.js';

export default {
  configure(command) {
    command
      .requiredOption('--output-dir <folder>', 'a new folder for the model')
      .addOption(
        new Option('--architecture <name>', 'the kind of decoder')
          .choices(['qwen2', 'llama'])
          .default('qwen2'),
      )
      .option('--hidden-size <n>', 'width of the hidden states', integer(1), 128)
      .option('--num-layers <n>', 'number of blocks', integer(1), 4)
      .option('--num-heads <n>', 'query heads (one for each 32 of the width)', integer(1))
      .option('--num-key-value-heads <n>', 'key-value heads (half of the query heads)', integer(1))
      .option('--intermediate-size <n>', 'width of the feed-forward (8/3 of the hidden size)', integer(1))
      .option('--vocab-size <n>', 'tokens of the tokenizer, trained on our own prompts', integer(1), 512)
      .option('--max-position-embeddings <n>', 'longest sequence, in tokens', integer(1), 8192)
      .option('--rope-theta <x>', 'base of the rotary frequencies', number(1), 10000)
      .option('--seed <n>', 'seed of the weights', integer(), 0);
    toggle(command, 'tie-word-embeddings', 'use the embedding table as the head', true);
  },
  async run(_, options: InitModelOptions) {
    const count = initModel({ ...options, writeTokenizer });
    process.stdout.write(`wrote ${options.outputDir}: ${(count / 1e6).toFixed(2)} M weights\n`);
  },
} satisfies CommandFile;
