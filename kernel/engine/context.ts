/**
 * Which cell does the code that runs belong to: for output, late errors and timers.
 *
 * `AsyncLocalStorage` would say it too, but where execution is terminated inside a promise's reaction, as an
 * interrupt does, its promise hooks leave Node's stack of async ids out of order and Node aborts the process.
 * So promises carry their cell by V8's own promise hooks, which keep no stack, and everything else (timers,
 * sockets, files) by Node's `init` hook.
 */
import { createHook, executionAsyncResource } from 'node:async_hooks';
import { promiseHooks } from 'node:v8';
import { clearStack, forgetId, replacePromiseHooks } from './async-ids.js';

/** A cell while it runs and afterwards, for what it has left behind. */
export interface Cell {
  readonly id: string;
  /** The name in error messages, `cell-10.ts`. */
  readonly name: string;
  /** Interrupted or ended by `process.exit`: what it left behind is to stop. */
  abandoned: boolean;
}

function giveBack(target: object): object {
  return target;
}

/** Writes a cell on any object, where nobody can see it and no property is added (a class's private name does that). */
class Stamp extends (giveBack as unknown as new (target: object) => object) {
  #cell: Cell | undefined;

  static put(target: object, cell: Cell | undefined): void {
    if (#cell in target) (target as Stamp).#cell = cell;
    else new Stamp(target).#cell = cell;
  }

  static read(target: object | undefined): Cell | undefined {
    return target !== undefined && #cell in target ? (target as Stamp).#cell : undefined;
  }
}

/** The cell of the promise reaction or of the synchronous code that runs. */
let current: Cell | undefined;
let last: Cell | undefined;

/** Begins to follow cells through asynchronous code. Once per process, before the first cell. */
export function trackCells(): void {
  createHook({
    init(_id, type, _trigger, resource: object) {
      if (type !== 'PROMISE') Stamp.put(resource, owner());
    },
  }).enable();
  const before: (Cell | undefined)[] = [];
  const hooks = {
    init(promise: object) {
      if (awaited !== undefined) {
        awaited(promise);
        awaited = undefined;
      }
      Stamp.put(promise, owner());
    },
    before(promise: object) {
      before.push(current);
      current = Stamp.read(promise);
    },
    after() {
      current = before.pop();
    },
  };
  promiseHooks.createHook(hooks);
  replacePromiseHooks(hooks);
  resetStack = () => {
    before.length = 0;
  };
}

let resetStack = () => {};

/** Who is to be told of the next promise. */
let awaited: ((promise: object) => void) | undefined;

/** Runs `action` and returns the first promise that was made in it, if any. */
export function firstPromiseOf(action: () => void): object | undefined {
  let first: object | undefined;
  awaited = (promise) => {
    first = promise;
  };
  try {
    action();
  } finally {
    awaited = undefined;
  }
  return first;
}

/** To be called after execution was terminated, outside of any cell: forgets what was interrupted half-way. */
export function forgetInterrupted(): void {
  current = undefined;
  resetStack();
  clearStack();
}

/**
 * Runs a callback of `process.nextTick` so that it can be terminated: Node keeps the tick's id while it runs.
 */
export function runTick(cell: Cell, callback: () => void): void {
  forgetId();
  inCell(cell, callback, false);
}

function owner(): Cell | undefined {
  // none right after a termination
  return current ?? Stamp.read(executionAsyncResource() as object | undefined);
}

/** The cell that the running code belongs to; the last one that began where nobody knows. */
export function currentCell(): Cell | undefined {
  return owner() ?? last;
}

/** Throws where the running code belongs to a cell that was abandoned: it has nothing more to say. */
export function refuseAbandoned(): void {
  if (owner()?.abandoned) throw new AbandonedError('the cell that this code belongs to was interrupted');
}

/** What stops code of an abandoned cell at its next output. */
export class AbandonedError extends Error {
  override readonly name = 'KernelInterrupted';
}

/** The cell of a promise, for rejections that nobody handled. */
export function cellOfPromise(promise: object): Cell | undefined {
  return Stamp.read(promise) ?? currentCell();
}

/** Runs `action` as part of a cell, which has just begun or goes on. */
export function inCell<T>(cell: Cell, action: () => T, begins = true): T {
  const outer = current;
  current = cell;
  if (begins) last = cell;
  try {
    return action();
  } finally {
    current = outer;
  }
}
