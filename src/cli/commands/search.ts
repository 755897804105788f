import { type SearchFlowOptions, search } from '../../experiments/search.js';
import { searchOptions } from '../../options/search.js';
import { describeSpeed } from '../../progress/counted.js';
import type { CommandContext, CommandFile } from '../command.js';
import { keepingAnswers } from '../interrupts.js';
import { verboseOptions } from '../terminal-options.js';
import { terminalProgress } from '../terminal-progress.js';

async function run(
  _args: string[],
  { verbose, ...options }: SearchFlowOptions & { verbose?: boolean },
  { ranks }: CommandContext = {},
): Promise<void> {
  const { onEvent, stop } = terminalProgress();
  try {
    const result = await keepingAnswers((signal) => search({ ...options, onEvent, signal, ranks }), stop);
    if (result === undefined) return;
    const { predictions, unparsable, incomplete, progress } = result;
    stop();
    if (verbose && progress) {
      const { guessedTokens, acceptedTokens, steps } = progress;
      process.stderr.write(
        `${describeSpeed(progress)}; ${steps} passes, ${acceptedTokens} of ${guessedTokens} guessed tokens right\n`,
      );
    }
    const found = predictions.filter(({ grid }) => grid !== null).length;
    process.stdout.write(
      `${options.outputPath}: ${found} candidates of views, ${unparsable} answers not a grid` +
        `${incomplete > 0 ? `, ${incomplete} prompts left at a limit` : ''}\n`,
    );
  } finally {
    stop();
  }
}

export default { options: searchOptions, terminalOptions: verboseOptions, run } satisfies CommandFile;
