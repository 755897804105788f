import type { Command } from 'commander';
import { parseDuration } from '../../common/duration.js';
import { inferDefaults } from '../../experiments/infer.js';
import { testTimeFineTune } from '../../experiments/test-time-fine-tune.js';
import { fineTuneDefaults as defaults } from '../../training/options.js';
import { backendOptions, type CommandFile, integer } from '../command.js';
import { augmentationOptions } from '../generation-options.js';
import {
  adapterOptions,
  adapterTargetOptions,
  resumeOptions,
  stepOptions,
  trainInTerminal,
} from '../training-options.js';

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
    .option('--max-seq-len <tokens>', 'longest prompt and answer together', integer(1), defaults.maxSeqLen);
  stepOptions(command);
  adapterOptions(command);
  adapterTargetOptions(command);
  backendOptions(command);
  resumeOptions(command);
  augmentationOptions(command, defaults);
}

// biome-ignore lint/suspicious/noExplicitAny: commander types no options
async function run(_: string[], { timeBudget, ...options }: any): Promise<void> {
  const start = performance.now();
  const seconds =
    timeBudget === undefined ? Number.POSITIVE_INFINITY : parseDuration(timeBudget, '--time_budget');
  const { checkpoint, steps, interrupted } = await trainInTerminal((controls) =>
    testTimeFineTune({
      ...options,
      secondsLeft: () => seconds - (performance.now() - start) / 1000,
      ...controls,
    }),
  );
  process.stdout.write(interrupted ? `${checkpoint} (stopped at step ${steps})\n` : `${checkpoint}\n`);
}

export default { configure, run } satisfies CommandFile;
