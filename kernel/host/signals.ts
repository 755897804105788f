import { constants } from 'node:os';
import { internalBinding } from './internals.js';
import { isRepeated } from './supervisor-link.js';

/** What is used of Node's signal handles. */
interface SignalHandle {
  onsignal: (signal: number) => void;
  start(signal: number): number;
  unref(): void;
}

/**
 * Calls `onInterrupt` in this thread, a worker, for every SIGINT, and for what a supervisor makes of one. Node lets
 * only the main thread listen to signals, and a main thread that computes hears nothing; libuv has no such limit, so
 * its handle is taken directly.
 */
export function watchInterruptSignal(onInterrupt: () => void): void {
  const binding = internalBinding('signal_wrap') as { Signal: new () => SignalHandle } | undefined;
  if (binding === undefined) return;
  for (const name of ['SIGINT', 'SIGURG'] as const) {
    const number = constants.signals[name];
    // Windows has no SIGURG
    if (number === undefined) continue;
    const handle = new binding.Signal();
    handle.onsignal = () => {
      if (!isRepeated(name)) onInterrupt();
    };
    handle.start(number);
    handle.unref();
  }
}
