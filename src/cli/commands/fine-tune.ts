import { type FineTuneOptions, fineTune } from '../../experiments/fine-tune.js';
import { fineTuneOptions } from '../../options/training.js';
import type { CommandContext, CommandFile } from '../command.js';
import { trainInTerminal } from '../train-in-terminal.js';

async function run(_args: string[], options: FineTuneOptions, { ranks }: CommandContext = {}): Promise<void> {
  const { checkpoint, steps, interrupted } = await trainInTerminal(
    (controls) => fineTune({ ...options, ...controls, ranks }),
    options,
  );
  const how = options.resumeFromCheckpoint === false ? 'with --resume_from_checkpoint ' : '';
  if (interrupted)
    process.stderr.write(`stopped at step ${steps}; the same command ${how}continues from ${checkpoint}\n`);
  else process.stdout.write(`${checkpoint}\n`);
}

export default { options: fineTuneOptions, run } satisfies CommandFile;
