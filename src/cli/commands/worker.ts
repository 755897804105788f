import { sweepWorkerOptions } from '../../options/sweep.js';
import { type SweepWorkerOptions, sweepWorker } from '../../sweeps/queue/worker.js';
import type { CommandFile } from '../command.js';
import { hidePassword } from '../hide-password.js';
import { stoppable } from '../interrupts.js';
import { sweepProgress } from '../sweep-progress.js';

async function run(_: string[], given: SweepWorkerOptions): Promise<void> {
  hidePassword(given.queue);
  const { onEvent, stop } = sweepProgress();
  try {
    const { parts } = await stoppable((signal) => sweepWorker({ ...given, onEvent, signal }), {
      onStop(code) {
        process.exitCode = code;
        onEvent({ type: 'note', text: 'stopping; the run goes on in another worker (once more: at once)' });
      },
    });
    stop();
    process.stdout.write(`${parts} parts done\n`);
  } finally {
    stop();
  }
}

export default { options: sweepWorkerOptions, run } satisfies CommandFile;
