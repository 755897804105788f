import type { FromEngine } from '../contract.js';
import { AbandonedError, currentCell, inCell, type LiveCell } from '../engine/context.js';
import { describeError } from '../engine/errors.js';

/** What is called when an event happens. */
export type Listener<T extends unknown[] = never[]> = (...values: T) => unknown;

interface Entry {
  listener: Listener<unknown[]>;
  isOnce: boolean;
  /** The cell that has added it: it runs as part of that cell, so its output appears there. */
  cell: LiveCell | undefined;
}

/** Sends what leaves the main thread. */
export type Send = (message: FromEngine) => void;

/**
 * An object whose events cells listen to. `node:events` is not used, because a listener has to run as part of the
 * cell that added it, and one that throws must neither keep the others from running nor end the kernel; but
 * `on`, `once` and `off` are as there, so that `events.once(object, 'name')` works.
 */
export class Emitter<Events extends Record<string, unknown[]>> {
  readonly #listeners = new Map<string, Entry[]>();
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
    // not among the properties that `console.log(object)` shows
    Object.defineProperty(this, 'removeListener', { value: this.off, enumerable: false });
  }

  /** Calls `listener` whenever the event happens. */
  on<K extends keyof Events & string>(event: K, listener: Listener<Events[K]>): this {
    return this.#add(event, listener as Listener<unknown[]>, false);
  }

  /** Calls `listener` when the event happens next. */
  once<K extends keyof Events & string>(event: K, listener: Listener<Events[K]>): this {
    return this.#add(event, listener as Listener<unknown[]>, true);
  }

  /** Waits until the event happens next. @returns the first of its values */
  next<K extends keyof Events & string>(event: K): Promise<Events[K][0]> {
    return new Promise((resolve) => this.once(event, (...values) => resolve(values[0])));
  }

  /** Takes a listener away. */
  off<K extends keyof Events & string>(event: K, listener: Listener<Events[K]>): this {
    const entries = this.#listeners.get(event) ?? [];
    this.#listeners.set(
      event,
      entries.filter((entry) => entry.listener !== listener),
    );
    return this;
  }

  #add(event: string, listener: Listener<unknown[]>, isOnce: boolean): this {
    if (typeof listener !== 'function') {
      throw new TypeError(`on('${event}', …) needs a function, and was given ${typeof listener}`);
    }
    const entries = this.#listeners.get(event) ?? [];
    this.#listeners.set(event, [...entries, { listener, isOnce, cell: currentCell() }]);
    return this;
  }

  /** Calls the listeners one after the other. One that fails is reported as an error of its cell. */
  protected emit<K extends keyof Events & string>(event: K, ...values: Events[K]): void {
    for (const entry of this.#listeners.get(event) ?? []) {
      if (entry.isOnce) this.off(event, entry.listener as Listener<Events[K]>);
      // the cell was interrupted, and what it left behind stops
      if (entry.cell?.abandoned) continue;
      callInCell(entry.cell, () => entry.listener.apply(this, values), this.#send);
    }
  }
}

/** Calls a function of the notebook as part of a cell; what it throws is an error of that cell. */
export function callInCell(cell: LiveCell | undefined, call: () => unknown, send: Send): boolean {
  try {
    if (cell === undefined) call();
    else inCell(cell, call, false);
    return true;
  } catch (error) {
    if (!(error instanceof AbandonedError)) {
      send({ type: 'late-error', id: cell?.id ?? '', error: describeError(error) });
    }
    return false;
  }
}
