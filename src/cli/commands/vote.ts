import { type Command, Option } from 'commander';
import { formatMetrics } from '../../evaluation/metrics.js';
import { VOTING_METHODS } from '../../evaluation/voting.js';
import { type VoteOnPredictionsOptions, voteOnPredictions } from '../../experiments/vote.js';
import { type CommandFile, integer } from '../command.js';

function configure(command: Command): void {
  command
    .requiredOption('--input-filepath <file>', 'the detailed predictions: inference_task_results.json')
    .option('--output-filepath <file>', 'the winners (default: inference_vote_<n>.json beside the input)')
    .option('--n <n>', 'winners for each test input', integer(1), 2)
    .addOption(
      new Option('--method <name>', 'what ranks: agreement, then log-probability or first come')
        .choices(VOTING_METHODS)
        .default('count-logprob'),
    )
    .option('--dataset-path <file>', 'the predicted tasks, to print metrics')
    .option('--submission-filepath <file>', 'also write a submission for every test input of --dataset_path');
}

async function run(_: string[], options: VoteOnPredictionsOptions): Promise<void> {
  const { outputFilepath, testInputs, predictions, metrics } = voteOnPredictions(options);
  process.stdout.write(
    `${predictions} predictions for ${testInputs} test inputs, winners in ${outputFilepath}\n`,
  );
  if (options.submissionFilepath) process.stdout.write(`submission in ${options.submissionFilepath}\n`);
  if (metrics) process.stdout.write(`${formatMetrics(metrics)}\n`);
}

export default { configure, run } satisfies CommandFile;
