import { type TestTimeFineTuneOptions, testTimeFineTune } from '../../experiments/test-time-fine-tune.js';
import { defineOptions } from '../../options/table.js';
import { testTimeFineTuneOptions } from '../../options/training.js';
import type { CommandContext, CommandFile } from '../command.js';
import { trainInTerminal } from '../train-in-terminal.js';

const terminalOptions = defineOptions({
  timeBudget: {
    type: 'number',
    form: 'seconds',
    value: 'duration',
    description: 'shorten the run to the steps that fit into 11.5h, 90m or 3600s',
  },
});

async function run(
  _: string[],
  { timeBudget = Number.POSITIVE_INFINITY, ...options }: TestTimeFineTuneOptions & { timeBudget?: number },
  { ranks }: CommandContext = {},
): Promise<void> {
  const start = performance.now();
  const secondsLeft = () => timeBudget - (performance.now() - start) / 1000;
  const { checkpoint, steps, interrupted } = await trainInTerminal(
    (controls) => testTimeFineTune({ ...options, secondsLeft, ...controls, ranks }),
    options,
  );
  process.stdout.write(interrupted ? `${checkpoint} (stopped at step ${steps})\n` : `${checkpoint}\n`);
}

export default { options: testTimeFineTuneOptions, terminalOptions, run } satisfies CommandFile;
