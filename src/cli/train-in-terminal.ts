import type { FineTuneHooks } from '../experiments/fine-tune.js';
import { stoppable } from './interrupts.js';
import { terminalProgress } from './terminal-progress.js';

/** Trains under a progress bar until it is done or Ctrl-C or SIGTERM stops it after a step, with a checkpoint. */
export async function trainInTerminal<T extends { interrupted: boolean }>(
  train: (controls: Pick<FineTuneHooks, 'onEvent' | 'signal'>) => Promise<T>,
  { verbose = false }: { verbose?: boolean } = {},
): Promise<T> {
  const { onEvent, stop } = terminalProgress({ verbose });
  try {
    let exitCode = 0;
    const result = await stoppable((signal) => train({ onEvent, signal }), {
      onStop(code) {
        exitCode = code;
        onEvent({ type: 'note', text: 'stopping after this step (once more: at once)' });
      },
    });
    if (result.interrupted) process.exitCode = exitCode;
    return result;
  } finally {
    stop();
  }
}
