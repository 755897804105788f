import type { Command } from 'commander';
import { gridText, sideBySide } from '../../display/terminal.js';
import {
  generateInputsDefaults as defaults,
  type GenerateInputsOptions,
  type GenerateInputsResult,
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

/** Every task's new grids beside each other, as many in a line as fit. */
function printGrids(grids: GenerateInputsResult['grids']): void {
  const columns = process.stdout.columns ?? 100;
  for (const [taskId, list] of grids) {
    const fresh = list.filter(({ isNew }) => isNew).map(({ grid }) => grid);
    process.stdout.write(
      `${taskId}: ${fresh.length} new grids, and ${list.length - fresh.length} that were given\n`,
    );
    const widest = Math.max(1, ...fresh.map((grid) => grid[0]!.length));
    const perLine = Math.max(1, Math.floor(columns / (2 * widest + 3)));
    for (let at = 0; at < fresh.length; at += perLine) {
      const blocks = fresh.slice(at, at + perLine).map((grid) => gridText(grid));
      process.stdout.write(`${sideBySide(blocks)}\n\n`);
    }
  }
}

async function run(_args: string[], options: GenerateInputsOptions & { verbose: boolean }): Promise<void> {
  const progress = generationProgress();
  try {
    const { drawn, valid, different, fresh, grids } = await generateInputs({ ...options, ...progress });
    progress.stop();
    // where no file keeps them, they are shown
    if (options.verbose || options.outputFilepath === undefined) printGrids(grids);
    process.stdout.write(
      `${drawn} answers: ${valid} grids, ${different} different, ${fresh} new, ` +
        `${different - fresh} equal to given ones\n`,
    );
    if (options.outputFilepath) process.stdout.write(`${options.outputFilepath}\n`);
  } finally {
    progress.stop();
  }
}

export default { configure, run } satisfies CommandFile;
