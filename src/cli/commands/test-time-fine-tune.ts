import { type Command, Option } from 'commander';
import { parseDuration } from '../../common/duration.js';
import { inferDefaults } from '../../experiments/infer.js';
import { testTimeFineTune } from '../../experiments/test-time-fine-tune.js';
import { fineTuneDefaults as defaults } from '../../training/options.js';
import { trainingProgress } from '../../training/progress.js';
import { scheduleNames } from '../../training/schedules.js';
import { backendOptions, type CommandFile, integer, number, toggle } from '../command.js';
import { augmentationOptions } from '../generation-options.js';

function configure(command: Command): void {
  command
    .requiredOption('--model-path <folder|id>', 'a Hugging Face model folder or hub id')
    .option('--adapter-path <folder|id>', 'a PEFT adapter to continue from, instead of a fresh one')
    .requiredOption('--dataset-path <file>', 'the tasks to be solved: their train samples are learnt')
    .requiredOption('--output-dir <folder>', 'where n_minus_one.json, checkpoints and logs go')
    .requiredOption('--max-steps <n>', 'optimizer steps', integer(1))
    .option('--time-budget <duration>', 'shorten the run to the steps that fit into 11.5h, 90m or 3600s')
    .option('--prompt-version <kind>', 'prompt kind', inferDefaults.promptVersion)
    .option('--grid-encoder <expression>', 'how grids become text', defaults.gridEncoder)
    .option(
      '--save-steps <n>',
      'steps between checkpoints; -1 = at the end only',
      integer(-1),
      defaults.evalSteps,
    )
    .option('--logging-steps <n>', 'steps between points of the log', integer(1), defaults.loggingSteps)
    .option('--max-seq-len <tokens>', 'longest prompt and answer together', integer(1), defaults.maxSeqLen)
    .option('--seed <n>', 'names every random stream of the run', integer(), defaults.seed)
    .option('--learning-rate <rate>', 'the largest learning rate', number(0), defaults.learningRate)
    .addOption(
      new Option('--lr-scheduler-type <name>', 'learning-rate schedule')
        .choices(scheduleNames)
        .default(defaults.lrSchedulerType),
    )
    .option('--batch-size <samples>', 'samples per optimizer step', integer(1), defaults.batchSize)
    .option('--lora-r <rank>', 'rank of a fresh adapter', integer(1), defaults.loraR)
    .option(
      '--lora-alpha <alpha>',
      'a fresh adapter is scaled by alpha / rank',
      number(0),
      defaults.loraAlpha,
    )
    .option(
      '--lora-target-modules <names...>',
      'projections that get a fresh adapter',
      defaults.loraTargetModules as string[],
    );
  backendOptions(command);
  toggle(
    command,
    'resume-from-checkpoint',
    "continue the output folder's newest checkpoint; otherwise an earlier run is moved to previous-<n>",
    defaults.resumeFromCheckpoint,
  );
  augmentationOptions(command, defaults);
}

// biome-ignore lint/suspicious/noExplicitAny: commander types no options
async function run(_: string[], { timeBudget, ...options }: any): Promise<void> {
  const start = performance.now();
  const seconds =
    timeBudget === undefined ? Number.POSITIVE_INFINITY : parseDuration(timeBudget, '--time_budget');
  const stopping = new AbortController();
  const progress = trainingProgress();
  const interrupt = () => {
    progress.onEvent({ type: 'note', text: 'stopping after this step (Ctrl-C again: at once)' });
    stopping.abort();
  };
  process.once('SIGINT', interrupt);
  try {
    const { checkpoint, steps, interrupted } = await testTimeFineTune({
      ...options,
      secondsLeft: () => seconds - (performance.now() - start) / 1000,
      onEvent: progress.onEvent,
      signal: stopping.signal,
    });
    progress.stop();
    if (interrupted) process.exitCode = 130;
    process.stdout.write(interrupted ? `${checkpoint} (stopped at step ${steps})\n` : `${checkpoint}\n`);
  } finally {
    progress.stop();
    process.off('SIGINT', interrupt);
  }
}

export default { configure, run } satisfies CommandFile;
