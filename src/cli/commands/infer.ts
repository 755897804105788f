import { type InferOptions, infer } from '../../experiments/infer.js';
import { inferOptions } from '../../options/inference.js';
import { describeSpeed } from '../../progress/counted.js';
import type { CommandContext, CommandFile } from '../command.js';
import { keepingAnswers } from '../interrupts.js';
import { verboseOptions } from '../terminal-options.js';

async function run(
  _args: string[],
  { verbose, ...options }: InferOptions & { verbose?: boolean },
  { ranks }: CommandContext = {},
): Promise<void> {
  const result = await keepingAnswers((hooks) => infer({ ...options, ...hooks, ranks }));
  if (result === undefined) return;
  const { predictions, unparsable, cutOff, notFinite, progress: last } = result;
  if (verbose && last) process.stderr.write(`${describeSpeed(last)}\n`);
  process.stdout.write(
    `${options.outputPath}: ${predictions.length} predictions, ${unparsable} not a grid` +
      `${cutOff > 0 ? ` (${cutOff} cut off at the longest answer)` : ''}` +
      `${notFinite > 0 ? `, ${notFinite} without an answer` : ''}\n`,
  );
}

export default { options: inferOptions, terminalOptions: verboseOptions, run } satisfies CommandFile;
