import { type SearchFlowOptions, search } from '../../experiments/search.js';
import { searchOptions } from '../../options/search.js';
import { describeSpeed } from '../../progress/counted.js';
import type { CommandContext, CommandFile } from '../command.js';
import { keepingAnswers } from '../interrupts.js';
import { verboseOptions } from '../terminal-options.js';

async function run(
  _args: string[],
  { verbose, ...options }: SearchFlowOptions & { verbose?: boolean },
  { ranks }: CommandContext = {},
): Promise<void> {
  const result = await keepingAnswers((hooks) => search({ ...options, ...hooks, ranks }));
  if (result === undefined) return;
  const { predictions, unparsable, incomplete, progress } = result;
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
}

export default { options: searchOptions, terminalOptions: verboseOptions, run } satisfies CommandFile;
