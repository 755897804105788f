import { Option } from 'commander';
import { type MergeLoraOptions, mergeLora } from '../../experiments/merge-lora.js';
import { floatTypes } from '../../tensors/precision.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command) {
    command
      .requiredOption('--model-path <folder|id>', 'the base: a Hugging Face model folder or hub id')
      .requiredOption('--adapter-path <folder|id>', 'a PEFT adapter (LoRA, rsLoRA or DoRA) for that base')
      .requiredOption('--output-dir <folder>', 'a new folder for the merged model')
      .addOption(
        new Option('--dtype <format>', 'how weights are saved (default: as in the base)').choices(floatTypes),
      )
      .option('--backend <name>', 'the tensor backend; the best present unless given');
  },
  async run(_, options: MergeLoraOptions) {
    await mergeLora(options);
    process.stdout.write(`wrote ${options.outputDir}\n`);
  },
} satisfies CommandFile;
