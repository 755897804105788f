/**
 * Node's stack of async ids and resources, which it aborts over where code that was terminated has left an id behind.
 *
 * `AsyncLocalStorage` finds its stores on the resource that runs. So what the kernel puts on the stack, and what it
 * lets run for the person, has its resource there but no id: a resource may be left behind.
 */
import { createHook, executionAsyncResource } from 'node:async_hooks';
import { internalBinding } from '../host/internals.js';

/** V8's hooks for promises; each is called with the promise, and `init` with the one that it was derived from. */
export interface PromiseHooks {
  init(promise: object, parent: object | undefined): void;
  before(promise: object): void;
  after(promise: object): void;
}

/** The parts of Node's `async_wrap` that are needed. */
interface AsyncWrap {
  async_hook_fields: Uint32Array;
  async_id_fields: Float64Array;
  execution_async_resources: object[];
  constants: Record<'kCheck' | 'kStackLength' | 'kExecutionAsyncId' | 'kTriggerAsyncId', number>;
  pushAsyncContext(asyncId: number, triggerAsyncId: number): void;
  popAsyncContext(asyncId: number): boolean;
  clearAsyncIdStack(): void;
  setPromiseHooks?(init: unknown, before: unknown, after: unknown, settled: undefined): void;
}

const wrap = internalBinding('async_wrap') as AsyncWrap | undefined;
/** Set once an `AsyncLocalStorage` or anything else of the person's has hooks of its own. */
let isShared = false;

/**
 * Puts hooks in the place of Node's own hooks for promises, which keep ids on the stack. Node switches its own on
 * whenever anybody enables or disables a hook, and they are replaced again.
 */
export function replacePromiseHooks({ init, before, after }: PromiseHooks): void {
  const replace = () => {
    wrap?.setPromiseHooks?.(
      (promise: object, parent: object | undefined) => {
        init(promise, parent);
        if (isShared) inheritStores(promise);
      },
      (promise: object) => {
        before(promise);
        if (isShared) enter(promise);
      },
      (promise: object) => {
        after(promise);
        if (isShared) leave(promise);
      },
      undefined,
    );
    // Node checks that callbacks begin and end in pairs, and aborts where one was terminated; enabling sets it, too
    if (wrap !== undefined) wrap.async_hook_fields[wrap.constants.kCheck] = 0;
  };
  replace();
  const hook = Object.getPrototypeOf(createHook({})) as Record<'enable' | 'disable', () => unknown>;
  for (const name of ['enable', 'disable'] as const) {
    const original = hook[name];
    hook[name] = function () {
      const result = original.call(this);
      isShared = true;
      replace();
      return result;
    };
  }
}

/** Takes away the id of what runs, so that it can be terminated. Its resource stays. */
export function forgetId(): void {
  if (wrap === undefined) return;
  const { async_id_fields: ids, constants } = wrap;
  ids[constants.kExecutionAsyncId] = 0;
  ids[constants.kTriggerAsyncId] = 0;
}

/** Resources whose callbacks Node runs in JavaScript. Not timers, whose ids are what `+setTimeout(…)` gives. */
const OF_JAVASCRIPT = new Set(['Immediate', 'Microtask', 'TickObject']);
const ID_NAMES = new Set(['asyncId', 'triggerId', 'async_id_symbol', 'trigger_async_id_symbol']);
/** The properties in which such a resource keeps its ids; Node has symbols of its own for them. */
const idSymbols = new Map<string, symbol[]>();

/**
 * Takes away the ids of a new resource, so that there is no moment between the putting of an id on the stack and
 * {@link forgetId} in which its callback could be terminated.
 */
export function dropIds(type: string, resource: object): void {
  if (!OF_JAVASCRIPT.has(type)) return;
  let symbols = idSymbols.get(type);
  if (symbols === undefined) {
    symbols = Object.getOwnPropertySymbols(resource).filter(({ description = '' }) =>
      ID_NAMES.has(description),
    );
    idSymbols.set(type, symbols);
  }
  for (const symbol of symbols) (resource as Record<symbol, number>)[symbol] = 0;
}

/** Forgets what was interrupted half-way; to be called outside of any cell. */
export function clearStack(): void {
  wrap?.clearAsyncIdStack();
}

function inheritStores(promise: object): void {
  const from = executionAsyncResource() as Record<symbol, unknown>;
  const to = promise as Record<symbol, unknown>;
  for (const key of Object.getOwnPropertySymbols(from)) {
    if (key.description === 'kResourceStore') to[key] = from[key];
  }
}

function enter(promise: object): void {
  if (wrap === undefined) return;
  wrap.execution_async_resources[wrap.async_hook_fields[wrap.constants.kStackLength]!] = promise;
  wrap.pushAsyncContext(0, 0);
}

function leave(promise: object): void {
  if (wrap === undefined) return;
  const top = wrap.async_hook_fields[wrap.constants.kStackLength]! - 1;
  if (wrap.execution_async_resources[top] === promise) wrap.popAsyncContext(0);
}
