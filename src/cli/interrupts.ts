/**
 * Runs something that the first Ctrl-C, or another of the signals, asks to stop in good order. The second finds no
 * listener and ends the process, even in the middle of a step.
 */
export async function stoppable<T>(
  run: (stopping: AbortSignal) => Promise<T>,
  { onStop, signals = ['SIGINT'] }: { onStop: () => void; signals?: readonly NodeJS.Signals[] },
): Promise<T> {
  const stopping = new AbortController();
  const stop = () => {
    onStop();
    stopping.abort();
  };
  for (const name of signals) process.once(name, stop);
  try {
    return await run(stopping.signal);
  } finally {
    for (const name of signals) process.off(name, stop);
  }
}
