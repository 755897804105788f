import { formatMetrics } from '../../evaluation/metrics.js';
import { voteOptions } from '../../options/other.js';
import { type VoteOnPredictionsOptions, voteOnPredictions } from '../../studies/vote.js';
import type { CommandFile } from '../command.js';

async function run(_: string[], options: VoteOnPredictionsOptions): Promise<void> {
  const { outputPath, testInputs, predictions, logProbs, metrics } = voteOnPredictions(options);
  process.stdout.write(
    `${predictions} predictions${logProbs ? '' : ' without log-probabilities'} for ${testInputs} test inputs, winners in ${outputPath}\n`,
  );
  if (options.submissionPath) process.stdout.write(`submission in ${options.submissionPath}\n`);
  if (metrics) process.stdout.write(`${formatMetrics(metrics)}\n`);
}

export default { options: voteOptions, run } satisfies CommandFile;
