import { textTable } from '../../display/tables.js';
import { sweepOptions } from '../../options/sweep.js';
import { PartStopped } from '../../sweeps/handlers.js';
import { sweepCounts, sweepRows } from '../../sweeps/status.js';
import { type SweepOptions, sweep } from '../../sweeps/sweep.js';
import type { CommandFile } from '../command.js';
import { hidePassword } from '../hide-password.js';
import { stoppable } from '../interrupts.js';
import { sweepProgress } from '../sweep-progress.js';

async function run(_: string[], given: SweepOptions): Promise<void> {
  hidePassword(given.queue);
  const { onEvent, stop } = sweepProgress();
  let exitCode = 0;
  try {
    const { runs } = await stoppable((signal) => sweep({ ...given, onEvent, signal }), {
      onStop(code) {
        exitCode = code;
        onEvent({ type: 'note', text: 'stopping (once more: at once)' });
      },
    });
    stop();
    process.stdout.write(`${textTable(sweepRows(runs))}\n${sweepCounts(runs)}\n`);
    if (runs.some(({ status }) => status === 'failed')) process.exitCode = 1;
  } catch (error) {
    if (!(error instanceof PartStopped) || exitCode === 0) throw error;
    stop();
    process.stderr.write(`${error.message}\n`);
    process.exitCode = exitCode;
  } finally {
    stop();
  }
}

export default { options: sweepOptions, run } satisfies CommandFile;
