import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { internalBinding } from './internals.js';

/** What is used of Node's signal handles. */
interface SignalHandle {
  onsignal: (signal: number) => void;
  start(signal: number): number;
  unref(): void;
}

/**
 * Calls `onInterrupt` in this thread, a worker, for every SIGINT. Node lets only the main thread listen to
 * signals, and a main thread that computes hears nothing; libuv has no such limit, so its handle is taken
 * directly.
 */
export function watchInterruptSignal(onInterrupt: () => void): void {
  const binding = internalBinding('signal_wrap') as { Signal: new () => SignalHandle } | undefined;
  if (binding === undefined) return;
  const handle = new binding.Signal();
  handle.onsignal = onInterrupt;
  handle.start(constants.signals.SIGINT);
  handle.unref();
}

/**
 * Sends a signal to the processes that a process (this one) has started and to those that they have started, as a
 * terminal does. On Linux only.
 */
export function signalDescendants(signal: NodeJS.Signals, pid: number | 'self' = 'self'): void {
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
        .split(' ')
        .filter(Boolean);
      for (const child of children.map(Number)) {
        signalDescendants(signal, child);
        process.kill(child, signal);
      }
    }
  } catch {
    // another system, or a child that has just ended
  }
}
