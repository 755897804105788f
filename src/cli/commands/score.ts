import { type ScoreOptions, score } from '../../experiments/score.js';
import { scoreOptions } from '../../options/inference.js';
import type { CommandContext, CommandFile } from '../command.js';
import { keepingAnswers } from '../interrupts.js';
import { verboseOptions } from '../terminal-options.js';

async function run(
  _args: string[],
  { verbose, ...options }: ScoreOptions & { verbose?: boolean },
  { ranks }: CommandContext = {},
): Promise<void> {
  const result = await keepingAnswers((hooks) => score({ ...options, ...hooks, ranks }));
  if (result === undefined) return;
  for (const { kind, answers, perAnswer, perToken, tooLong, withoutView } of result.kinds) {
    if (verbose) {
      for (const { taskId, testIndex, logProb, tokens } of answers) {
        const value =
          logProb === null ? 'no score' : `${logProb.toFixed(3)} over ${tokens.toFixed(0)} tokens`;
        process.stdout.write(`${kind} ${taskId}[${testIndex}]: ${value}\n`);
      }
    }
    process.stdout.write(
      `${kind}: ${answers.length} answers, log-probability ${perAnswer.toFixed(3)} per answer, ` +
        `${perToken.toFixed(4)} per token, normalised over ${result.normalisedOver}${tooLong > 0 ? `, ${tooLong} answers too long for a prompt` : ''}` +
        `${withoutView > 0 ? `, ${withoutView} augmentations fewer than asked for: there are no more that differ` : ''}\n`,
    );
  }
}

export default { options: scoreOptions, terminalOptions: verboseOptions, run } satisfies CommandFile;
