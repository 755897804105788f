import type { Command } from 'commander';
import { describeSpeed, generationProgress } from '../../experiments/generation-progress.js';
import { inferDefaults as defaults, type InferOptions, infer } from '../../experiments/infer.js';
import type { CommandFile } from '../command.js';
import {
  augmentationOptions,
  decodingOptions,
  modelOptions,
  predictionCount,
  promptOptions,
} from '../generation-options.js';

function configure(command: Command): void {
  modelOptions(command);
  command
    .requiredOption('--dataset-path <file>', 'ARC tasks with test inputs')
    .requiredOption(
      '--output-filepath <file>',
      'where the attempts go; the detailed list goes to ..._task_results.json beside it',
    )
    .option(
      '--predictions-per-task <n>',
      'for each test input: the first of the plain task, the others of augmented ones',
      predictionCount,
      defaults.predictionsPerTask,
    );
  promptOptions(command, defaults);
  decodingOptions(command, defaults.temperature);
  augmentationOptions(command);
}

async function run(_args: string[], options: InferOptions & { verbose: boolean }): Promise<void> {
  const progress = generationProgress();
  try {
    const { predictions, unparsable, cutOff, progress: last } = await infer({ ...options, ...progress });
    progress.stop();
    if (options.verbose && last) process.stderr.write(`${describeSpeed(last)}\n`);
    process.stdout.write(
      `${options.outputFilepath}: ${predictions.length} predictions, ${unparsable} not a grid` +
        `${cutOff > 0 ? ` (${cutOff} cut off at the longest answer)` : ''}\n`,
    );
  } finally {
    progress.stop();
  }
}

export default { configure, run } satisfies CommandFile;
