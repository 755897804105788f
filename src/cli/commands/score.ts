import type { Command } from 'commander';
import { scoreDefaults as defaults, type ScoreOptions, score } from '../../experiments/score.js';
import { type CommandFile, integer } from '../command.js';
import { countProgress } from '../count-progress.js';
import { augmentationOptions, modelOptions, promptOptions } from '../generation-options.js';

function configure(command: Command): void {
  modelOptions(command);
  command
    .requiredOption(
      '--dataset-path <file>',
      'ARC tasks; their solutions are scored unless predictions are given',
    )
    .option('--input-filepath <file>', 'score the predictions of this ..._task_results.json instead')
    .option('--output-filepath <file>', 'where the scores, or the predictions with new log-probabilities, go')
    .option(
      '--augmentations <n>',
      'score under this many augmentations and take the mean; the first changes nothing',
      integer(1),
      defaults.augmentations,
    )
    .option(
      '--max-tokens-per-batch <tokens>',
      'tokens of one forward pass',
      integer(1),
      defaults.maxTokensPerBatch,
    )
    .option('--prompt-versions <kinds...>', 'several prompt kinds to compare, instead of --prompt_version');
  promptOptions(command, defaults);
  augmentationOptions(command);
}

async function run(
  _args: string[],
  options: ScoreOptions & { promptVersions?: string[]; verbose: boolean },
): Promise<void> {
  const { onProgress, stop } = countProgress('prompts');
  const { kinds } = await score({
    ...options,
    promptVersion: options.promptVersions ?? options.promptVersion,
    onProgress,
  }).finally(stop);
  for (const { kind, answers, perAnswer, perToken, tooLong } of kinds) {
    if (options.verbose) {
      for (const { taskId, testIndex, logProb, tokens } of answers) {
        const value =
          logProb === null ? 'does not fit' : `${logProb.toFixed(3)} over ${tokens.toFixed(0)} tokens`;
        process.stdout.write(`${kind} ${taskId}[${testIndex}]: ${value}\n`);
      }
    }
    process.stdout.write(
      `${kind}: ${answers.length} answers, log-probability ${perAnswer.toFixed(3)} per answer, ` +
        `${perToken.toFixed(4)} per token${tooLong > 0 ? `, ${tooLong} prompts too long` : ''}\n`,
    );
  }
}

export default { configure, run } satisfies CommandFile;
