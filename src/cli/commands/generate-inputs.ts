import type { Command } from 'commander';
import {
  generateInputsDefaults as defaults,
  type GenerateInputsOptions,
  generateInputs,
} from '../../experiments/generate-inputs.js';
import { generationProgress } from '../../experiments/generation-progress.js';
import { type CommandFile, integer } from '../command.js';
import { decodingOptions, modelOptions, promptOptions } from '../generation-options.js';

function configure(command: Command): void {
  modelOptions(command);
  command
    .requiredOption('--dataset-path <file>', 'ARC tasks whose inputs are shown to the model')
    .option(
      '--output-filepath <file>',
      'where the grids go, as JSON: task id to grids with log-probabilities',
    )
    .option('--html-filepath <file>', 'a page with a picture of the grids of each task')
    .option('--n <n>', 'grids to draw for each task', integer(1), defaults.n);
  promptOptions(command, defaults);
  decodingOptions(command, defaults.temperature);
}

async function run(_args: string[], options: GenerateInputsOptions & { verbose: boolean }): Promise<void> {
  const progress = generationProgress();
  try {
    const { drawn, valid, different, fresh, grids } = await generateInputs({ ...options, ...progress });
    progress.stop();
    if (options.verbose) {
      for (const [taskId, list] of grids) {
        const known = list.filter(({ isNew }) => !isNew).length;
        process.stdout.write(`${taskId}: ${list.length} different grids, ${known} of them given\n`);
      }
    }
    process.stdout.write(
      `drawn: ${drawn} grids: ${valid} different: ${different} new: ${fresh} ` +
        `equal to given ones: ${different - fresh}\n`,
    );
    if (options.outputFilepath) process.stdout.write(`${options.outputFilepath}\n`);
  } finally {
    progress.stop();
  }
}

export default { configure, run } satisfies CommandFile;
