import { gridText, sideBySide } from '../../display/terminal.js';
import {
  type GenerateInputsOptions,
  type GenerateInputsResult,
  generateInputs,
} from '../../experiments/generate-inputs.js';
import { generateInputsOptions } from '../../options/inference.js';
import type { CommandFile } from '../command.js';
import { keepingAnswers } from '../interrupts.js';
import { verboseOptions } from '../terminal-options.js';

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

async function run(
  _args: string[],
  { verbose, ...options }: GenerateInputsOptions & { verbose?: boolean },
): Promise<void> {
  const result = await keepingAnswers((hooks) => generateInputs({ ...options, ...hooks }));
  if (result === undefined) return;
  const { drawn, valid, different, fresh, grids } = result;
  // where no file keeps them, they are shown
  if (verbose || options.outputPath === undefined) printGrids(grids);
  process.stdout.write(
    `${drawn} answers: ${valid} grids, ${different} different, ${fresh} new, ` +
      `${different - fresh} equal to given ones\n`,
  );
  if (options.outputPath) process.stdout.write(`${options.outputPath}\n`);
}

export default { options: generateInputsOptions, terminalOptions: verboseOptions, run } satisfies CommandFile;
