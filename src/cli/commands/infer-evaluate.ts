import type { Command } from 'commander';
import { formatMetrics } from '../../evaluation/metrics.js';
import { generationProgress } from '../../experiments/generation-progress.js';
import { inferDefaults as defaults } from '../../experiments/infer.js';
import { type InferEvaluateOptions, inferEvaluate } from '../../experiments/infer-evaluate.js';
import type { CommandFile } from '../command.js';
import {
  augmentationOptions,
  decodingOptions,
  predictionCount,
  promptOptions,
} from '../generation-options.js';

function configure(command: Command): void {
  command
    .argument('<checkpoint>', 'a checkpoint folder of fine-tune')
    .option('--model-path <folder|id>', "a base model instead of the checkpoint's own")
    .option('--grid-encoder <expression>', "how grids become text, instead of the checkpoint's own")
    .option('--dataset-path <file>', "ARC tasks with solutions (default: the checkpoint's validation set)")
    .option(
      '--output-filepath <file>',
      'predictions (default: in the checkpoint folder); used when it exists',
    )
    .option(
      '--predictions-per-task <n>',
      'for each test input: the first of the plain task, the others of augmented ones',
      predictionCount,
      defaults.predictionsPerTask,
    );
  promptOptions(command, {});
  decodingOptions(command, defaults.temperature);
  augmentationOptions(command);
}

async function run(
  [checkpoint]: string[],
  options: Omit<InferEvaluateOptions, 'checkpoint'> & { verbose: boolean },
): Promise<void> {
  const progress = generationProgress();
  try {
    const result = await inferEvaluate({ ...options, checkpoint: checkpoint!, ...progress });
    progress.stop();
    if (options.verbose) process.stderr.write(`${result.outputFilepath}\n`);
    process.stdout.write(`predictions: ${formatMetrics(result.metrics)}\n`);
    process.stdout.write(`voted: ${formatMetrics(result.votedMetrics)}\n`);
  } finally {
    progress.stop();
  }
}

export default { configure, run } satisfies CommandFile;
