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
import { clearStack, dropIds, forgetId, replacePromiseHooks } from './async-ids.js';

/** A cell while it runs and afterwards, for what it has left behind. */
export interface LiveCell {
  readonly id: string;
  /** The name in error messages, `cell-10.ts`. */
  readonly name: string;
  /** Interrupted or ended by `process.exit`: what it left behind is to stop. */
  abandoned: boolean;
}

function giveBack(target: object): object {
  return target;
}

/** Writes a cell on any object, where it is hidden and no property is added (a class's private name does that). */
class Stamp extends (giveBack as unknown as new (target: object) => object) {
  #cell: LiveCell | undefined;

  static put(target: object, cell: LiveCell | undefined): void {
    if (#cell in target) (target as Stamp).#cell = cell;
    else new Stamp(target).#cell = cell;
  }

  static read(target: object | undefined): LiveCell | undefined {
    return target !== undefined && #cell in target ? (target as Stamp).#cell : undefined;
  }
}

/** The cell of the promise reaction or of the synchronous code that runs. */
let current: LiveCell | undefined;
let last: LiveCell | undefined;

/** What keeps this thread from being terminated. */
export interface CriticalSteps {
  enterCritical(): void;
  leaveCritical(): void;
}

/** Begins to follow cells through asynchronous code. Once per process, before the first cell. */
export function trackCells({ enterCritical, leaveCritical }: CriticalSteps): void {
  createHook({
    init(_id, type, _trigger, resource: object) {
      if (type !== 'PROMISE') Stamp.put(resource, owner());
      dropIds(type, resource);
    },
    // of every callback, Node's own and the kernel's as well as a cell's: any of them may be terminated
    before: forgetId,
  }).enable();
  const before: (LiveCell | undefined)[] = [];
  const hooks = {
    init(promise: object, parent: object | undefined) {
      if (noted !== undefined) note(noted, promise, parent);
      Stamp.put(promise, owner());
    },
    before(promise: object) {
      if (reactions.has(promise)) enterCritical();
      if (firstParts.has(promise)) isFirstPart = true;
      before.push(current);
      current = Stamp.read(promise);
    },
    after(promise: object) {
      current = before.pop();
      isFirstPart = false;
      if (reactions.has(promise)) leaveCritical();
    },
  };
  promiseHooks.createHook(hooks);
  replacePromiseHooks(hooks);
  resetStack = () => {
    before.length = 0;
  };
}

let resetStack = () => {};

/**
 * What the code of each cell awaits first. So all of it runs as reactions to promises, and none of it below V8's
 * inspector, which ends the process where it is terminated in some places. That thread is in a critical step while the
 * inspector evaluates, and while it reacts to the end of a cell.
 */
export const CELL_TURN = Promise.resolve();

/** Promises that are made while a cell is evaluated. */
interface CellPromises {
  /** The cell's own. */
  whole?: object;
  /** Stands for the code up to its first own `await`, or to its end. */
  firstPart?: object;
  /** Stands for what the inspector does when the cell has ended. */
  reaction?: object;
}

/** Where the next promises are noted. */
let noted: CellPromises | undefined;
const firstParts = new WeakSet<object>();
const reactions = new WeakSet<object>();
let isFirstPart = false;

function note(promises: CellPromises, promise: object, parent: object | undefined): void {
  if (parent === CELL_TURN) promises.firstPart = promise;
  else if (promises.whole === undefined) promises.whole = promise;
  else if (parent === promises.whole) promises.reaction = promise;
}

/** Runs `action`, which evaluates the code of a cell up to its first `await`, and returns the cell's promise. */
export function promiseOfCell(action: () => void): object | undefined {
  const promises: CellPromises = {};
  noted = promises;
  try {
    action();
  } finally {
    noted = undefined;
  }
  if (promises.firstPart !== undefined) firstParts.add(promises.firstPart);
  if (promises.reaction !== undefined) reactions.add(promises.reaction);
  return promises.whole;
}

/** Whether a cell's code is on the stack that has not awaited anything of its own. */
export function isInFirstPart(): boolean {
  return isFirstPart;
}

/**
 * To be called after execution was terminated, outside of any cell: forgets what was interrupted half-way.
 * @returns the cell whose code it was, where it was one's
 */
export function forgetInterrupted(): LiveCell | undefined {
  const cut = current;
  current = undefined;
  isFirstPart = false;
  resetStack();
  clearStack();
  return cut;
}

function owner(): LiveCell | undefined {
  // none right after a termination
  return current ?? Stamp.read(executionAsyncResource() as object | undefined);
}

/** The cell that the running code belongs to; the last one that began where that is not known. */
export function currentCell(): LiveCell | undefined {
  return owner() ?? last;
}

/** Whether the running code belongs to a cell that was abandoned. */
export function runsAbandoned(): boolean {
  return owner()?.abandoned === true;
}

/** Throws where the running code belongs to a cell that was abandoned: it has nothing more to say. */
export function refuseAbandoned(): void {
  if (runsAbandoned()) throw new AbandonedError('the cell that this code belongs to was interrupted');
}

/** What stops code of an abandoned cell at its next output. */
export class AbandonedError extends Error {
  override readonly name = 'KernelInterrupted';
}

/** The cell of a promise, for unhandled rejections. */
export function cellOfPromise(promise: object): LiveCell | undefined {
  return Stamp.read(promise) ?? currentCell();
}

/** Runs `action` as part of a cell, which has just begun or goes on. */
export function inCell<T>(cell: LiveCell, action: () => T, begins = true): T {
  const outer = current;
  current = cell;
  if (begins) last = cell;
  try {
    return action();
  } finally {
    current = outer;
  }
}
