import { StoppedError } from '../common/errors.js';
import type { FlowEvent } from '../progress/index.js';
import { spellFlags } from './flags.js';
import { terminalProgress } from './terminal-progress.js';

/**
 * Ctrl-C, what a scheduler or a container sends before it kills, and what mpirun hands on to its processes: all ask
 * for a clean stop.
 */
const STOPS = { SIGINT: 2, SIGTERM: 15, SIGUSR2: 12 } as const;

/**
 * Runs something that the first Ctrl-C or SIGTERM asks to stop cleanly. The second finds no listener and ends
 * the process, even in the middle of a step.
 * @param onStop told the exit code of a process that ends for that signal: 130 or 143
 */
export async function stoppable<T>(
  run: (stopping: AbortSignal) => Promise<T>,
  { onStop }: { onStop: (exitCode: number) => void },
): Promise<T> {
  const stopping = new AbortController();
  const listeners = Object.entries(STOPS).map(([name, number]) => {
    const stop = () => {
      onStop(128 + number);
      stopping.abort();
    };
    return [name as NodeJS.Signals, stop] as const;
  });
  for (const [name, stop] of listeners) process.once(name, stop);
  try {
    return await run(stopping.signal);
  } finally {
    for (const [name, stop] of listeners) process.off(name, stop);
  }
}

/**
 * Runs a flow that keeps what it has, under a progress bar, and says how it goes on when the first Ctrl-C or SIGTERM
 * stops it.
 * @returns undefined when it was stopped: the exit code is that of the signal
 */
export async function keepingAnswers<T>(
  run: (hooks: { onEvent: (event: FlowEvent) => void; signal: AbortSignal }) => Promise<T>,
): Promise<T | undefined> {
  const { onEvent, stop } = terminalProgress();
  let exitCode = 0;
  const onStop = (code: number) => {
    exitCode = code;
    stop();
    process.stderr.write('stopping (once more: at once)\n');
  };
  try {
    return await stoppable((signal) => run({ onEvent, signal }), { onStop });
  } catch (error) {
    if (!(error instanceof StoppedError)) throw error;
    stop();
    process.stderr.write(`${spellFlags(error.message)}\n`);
    process.exitCode = exitCode;
    return undefined;
  } finally {
    stop();
  }
}
