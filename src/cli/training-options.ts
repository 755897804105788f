import { type Command, Option } from 'commander';
import type { FineTuneHooks } from '../experiments/fine-tune.js';
import { fineTuneDefaults as defaults } from '../training/options.js';
import { trainingProgress } from '../training/progress.js';
import { scheduleNames } from '../training/schedules.js';
import { integer, number, toggle } from './command.js';
import { stoppable } from './interrupts.js';

/** Declares what every training run needs to know of its steps. */
export function stepOptions(command: Command): void {
  command
    .option('--seed <n>', 'names every random stream of the run', integer(), defaults.seed)
    .option('--learning-rate <rate>', 'the largest learning rate', number(0), defaults.learningRate)
    .addOption(
      new Option('--lr-scheduler-type <name>', 'learning-rate schedule')
        .choices(scheduleNames)
        .default(defaults.lrSchedulerType),
    )
    .option('--batch-size <samples>', 'samples per optimizer step', integer(1), defaults.batchSize);
}

/** Declares the size of a fresh adapter. */
export function adapterOptions(
  command: Command,
  { loraR, loraAlpha }: { loraR: number; loraAlpha: number } = defaults,
): void {
  command
    .option('--lora-r <rank>', 'rank of a fresh adapter', integer(1), loraR)
    .option('--lora-alpha <alpha>', 'a fresh adapter is scaled by alpha / rank', number(0), loraAlpha);
}

/** Declares which projections get a fresh adapter. */
export function adapterTargetOptions(command: Command): void {
  command.option(
    '--lora-target-modules <names...>',
    'projections that get a fresh adapter; gate_proj, up_proj and down_proj are the others',
    defaults.loraTargetModules as string[],
  );
}

/** Declares what happens where a run has been before. */
export function resumeOptions(command: Command): void {
  toggle(
    command,
    'resume-from-checkpoint',
    "continue the output folder's newest checkpoint; otherwise an earlier run is moved to previous-<n>",
    defaults.resumeFromCheckpoint,
  );
}

/** Trains under a progress bar until it is done or Ctrl-C stops it after a step, with a checkpoint. */
export async function trainInTerminal<T extends { interrupted: boolean }>(
  train: (controls: Required<Pick<FineTuneHooks, 'onEvent' | 'signal'>>) => Promise<T>,
  { verbose = false }: { verbose?: boolean } = {},
): Promise<T> {
  const progress = trainingProgress(process.stderr, { verbose });
  const { onEvent } = progress;
  try {
    const result = await stoppable((signal) => train({ onEvent, signal }), {
      onStop: () => onEvent({ type: 'note', text: 'stopping after this step (Ctrl-C again: at once)' }),
    });
    if (result.interrupted) process.exitCode = 130;
    return result;
  } finally {
    progress.stop();
  }
}
