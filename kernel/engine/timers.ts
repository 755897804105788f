import { promisify } from 'node:util';
import { currentCell, inCell, type LiveCell } from './context.js';

type Callback = (...args: unknown[]) => unknown;
type Timer = (callback: Callback, ...rest: unknown[]) => unknown;

/**
 * Timers of an abandoned cell do nothing: a loop that waits for one never goes on, and an interval ends. (The
 * others stay, also after their cell has ended: a plot may be updated for as long as the person likes.)
 */
export function installTimers(): void {
  const clear = { setTimeout: clearTimeout, setInterval: clearInterval, setImmediate: clearImmediate };
  for (const name of ['setTimeout', 'setInterval', 'setImmediate'] as const) {
    const original = globalThis[name] as unknown as Timer & { [promisify.custom]: unknown };
    const stop = clear[name] as (handle: unknown) => void;
    const timer: Timer = (callback, ...rest) => {
      const cell = currentCell();
      if (cell === undefined || typeof callback !== 'function') return original(callback, ...rest);
      const handle = original(
        ofCell(cell, callback, () => stop(handle)),
        ...rest,
      );
      return handle;
    };
    Object.defineProperty(timer, 'name', { value: name });
    Object.defineProperty(timer, promisify.custom, { value: original[promisify.custom] });
    (globalThis as Record<string, unknown>)[name] = timer;
  }
}

/** What `process.nextTick` runs, as it runs most of what streams do, is part of the cell that asked for it. */
export function installTicks(): void {
  const original = process.nextTick;
  process.nextTick = ((callback: Callback, ...rest: unknown[]) => {
    const cell = currentCell();
    if (cell === undefined || typeof callback !== 'function') original(callback, ...rest);
    else original(() => inCell(cell, () => callback(...rest), false));
  }) as typeof process.nextTick;
}

function ofCell(cell: LiveCell, callback: Callback, stop: () => void): Callback {
  return function (this: unknown, ...args) {
    if (cell.abandoned) return stop();
    return callback.apply(this, args);
  };
}
