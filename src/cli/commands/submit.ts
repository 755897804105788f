import { type Command, Option } from 'commander';
import { parseDuration } from '../../common/duration.js';
import { UserError } from '../../common/errors.js';
import { textTable } from '../../display/tables.js';
import { formatMetrics } from '../../evaluation/metrics.js';
import { VOTING_METHODS } from '../../evaluation/voting.js';
import { checkSubmission } from '../../experiments/check-submission.js';
import {
  submitDefaults as defaults,
  type SubmitFailure,
  type SubmitResult,
  submit,
} from '../../experiments/submit.js';
import { submitProgress } from '../../experiments/submit-progress.js';
import { formatDuration } from '../../training/progress.js';
import { type CommandFile, integer, number } from '../command.js';
import {
  augmentationOptions,
  decodingOptions,
  predictionCount,
  promptOptions,
} from '../generation-options.js';
import { stoppable } from '../interrupts.js';
import { adapterOptions } from '../training-options.js';

function configure(command: Command): void {
  command
    .option('--challenges <file>', 'the test challenges; with known outputs the submission is scored')
    .option('--check <file>', 'only say whether this is a valid submission for --challenges')
    .option('--output-dir <folder>', 'where submission.json, failures.json and the fine-tuning go')
    .option('--model-path <folder|id>', 'a Hugging Face model folder or hub id')
    .option('--adapter-path <folder|id>', 'a PEFT adapter for it, which fine-tuning continues')
    .option('--grid-encoder <expression>', 'how grids become text', defaults.gridEncoder)
    .option('--time-budget <duration>', 'end within 11.5h, 90m or 3600s, with as many predictions as fit')
    .option(
      '--predictions-per-task <n>',
      'the most for each test input: the first of the plain task, the others of augmented ones',
      predictionCount,
      defaults.predictionsPerTask,
    )
    .option(
      '--fine-tune-steps <n>',
      'the most steps of test-time fine-tuning on the train samples of the challenges; 0 = none',
      integer(0),
      defaults.fineTuneSteps,
    )
    .option(
      '--fine-tune-share <part>',
      'part of the time budget that fine-tuning may take; half for learning and half for voting cannot be far from the best',
      number(0, 1),
      defaults.fineTuneShare,
    )
    .option(
      '--fine-tune-groups <n>',
      'groups of tasks with an adapter each (default: one for each device)',
      integer(1),
    )
    .option(
      '--fine-tune-learning-rate <rate>',
      'the largest learning rate',
      number(0),
      defaults.fineTuneLearningRate,
    )
    .option(
      '--fine-tune-batch-size <samples>',
      'samples per optimizer step',
      integer(1),
      defaults.fineTuneBatchSize,
    )
    .option(
      '--fine-tune-max-seq-len <tokens>',
      'longest prompt and answer together in fine-tuning; train samples are left out of longer ones',
      integer(2),
      defaults.fineTuneMaxSeqLen,
    );
  adapterOptions(command, defaults);
  command
    .option(
      '--devices <names...>',
      'such as cuda:0 cuda:1, a process for each (default: all GPUs when several)',
    )
    .option('--processes <n>', 'processes for each device', integer(1), defaults.processes)
    .addOption(
      new Option('--method <name>', 'what ranks: agreement, then log-probability or first come')
        .choices(VOTING_METHODS)
        .default(defaults.method),
    );
  promptOptions(command, defaults);
  decodingOptions(command, defaults.temperature, defaults.constrained);
  augmentationOptions(command);
}

/** Commander's own check of required options would ask for them in a mere check, too. */
function require(options: Record<string, unknown>, names: readonly string[]): void {
  for (const name of names) {
    const property = name.replace(/_./g, (text) => text[1]!.toUpperCase());
    if (options[property] === undefined)
      throw new UserError(`--${name} is missing (--help shows the options)`);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: commander types no options
async function run(_: string[], { challenges, check, timeBudget, verbose, ...options }: any): Promise<void> {
  require({ challenges }, ['challenges']);
  if (check !== undefined) {
    const { tasks, testInputs, problem } = checkSubmission({
      submissionPath: check,
      challengesPath: challenges,
    });
    process.stdout.write(
      problem ? `${problem}\n` : `${check}: valid, ${tasks} tasks, ${testInputs} test inputs\n`,
    );
    process.exitCode = problem ? 1 : 0;
    return;
  }
  require(options, ['model_path', 'output_dir']);
  const { stop, ...progress } = submitProgress();
  const solve = (signal: AbortSignal) =>
    submit({
      ...options,
      challengesPath: challenges,
      ...(timeBudget === undefined ? {} : { timeBudget: parseDuration(timeBudget, '--time_budget') }),
      ...progress,
      signal,
    });
  const result = await stoppable(solve, {
    onStop: () =>
      progress.onNote('stopping: the submission is written with what there is (once more: at once)'),
    signals: ['SIGINT', 'SIGTERM'],
  }).finally(stop);
  report(result);
}

function report(result: SubmitResult): void {
  const { submissionPath, testInputs, predictions, unanswered, failures, deadline, metrics, seconds } =
    result;
  process.stdout.write(
    `${submissionPath}: ${testInputs} test inputs, ${predictions} predictions in ${formatDuration(seconds)}` +
      `${deadline ? ' (time was up)' : ''}${unanswered > 0 ? `, ${unanswered} test inputs have only attempts by simple rules` : ''}\n`,
  );
  if (metrics) process.stdout.write(`${formatMetrics(metrics)}\n`);
  if (failures.length === 0) return;
  process.stdout.write(`${failureTable(failures)}\n`);
  process.exitCode = 1;
}

/** The longest message in a table, and the most rows; failures.json has everything. */
const SHOWN = { characters: 120, rows: 30 };

function failureTable(failures: readonly SubmitFailure[]): string {
  const rows = failures.slice(0, SHOWN.rows).map(({ stage, taskId, testIndex, count, message }) => ({
    stage,
    task: taskId === undefined ? '' : `${taskId}/${testIndex}`,
    times: count,
    message: message.length > SHOWN.characters ? `${message.slice(0, SHOWN.characters - 1)}…` : message,
  }));
  const more = failures.length - rows.length;
  return `${textTable(rows)}${more > 0 ? `\n… and ${more} more in failures.json` : ''}`;
}

export default { configure, run } satisfies CommandFile;
