/** @file The loop around the reducer: it owns processes, the timer and the order of events, and decides nothing. */
import type { Clock } from '../common/clock.js';
import { messageOf } from '../common/errors.js';
import { reduce } from './dispatch.js';
import type { Child, ChildEvents } from './process.js';
import type { Reply, Request } from './protocol.js';
import type { WorkerSlot } from './slots.js';
import { type Action, type Event, type State, type Work, wakeTime } from './state.js';

/** What the loop needs. */
export interface LoopOptions {
  readonly state: State;
  readonly clock: Clock;
  /** When aborted it ends, with this message as a failure. */
  readonly signal?: AbortSignal | undefined;
  readonly stopMessage: string;
  readonly startChild: (slot: WorkerSlot, events: ChildEvents) => Child;
  /** What a child is asked first, and what it is asked for each kind of work. */
  readonly openRequest: (slot: WorkerSlot) => Request;
  readonly requestOf: (work: Work) => Request;
  /** The newest checkpoint of a group; null where there is none. */
  readonly findCheckpoint: (group: number) => string | null;
  /** Everything that is neither about processes nor about checkpoints. */
  readonly act: (action: Action, state: State) => void;
}

/** Runs until the state has ended, and gives it. */
export function runLoop(o: LoopOptions): Promise<State> {
  const { clock, signal } = o;
  let state = o.state;
  const children = new Map<number, Child>();
  const events: Event[] = [];
  let isBusy = false;
  let timer = { at: Number.POSITIVE_INFINITY, cancel: () => {} };
  return new Promise((resolve, reject) => {
    const stop = () => happen({ type: 'stop', message: o.stopMessage });

    function happen(event: Event): void {
      events.push(event);
      // what actions lead to comes after them
      if (isBusy) return;
      isBusy = true;
      try {
        for (let next = events.shift(); next !== undefined; next = events.shift()) {
          const { state: after, actions } = reduce(state, next, clock.now());
          state = after;
          for (const action of actions) carryOut(action);
        }
        setTimer();
      } catch (error) {
        close();
        reject(error);
      } finally {
        isBusy = false;
      }
    }

    function carryOut(action: Action): void {
      switch (action.type) {
        case 'start':
          startChild(action.process, action.slot);
          break;
        case 'assign':
          children.get(action.process)?.send(o.requestOf(action.work));
          break;
        case 'kill':
          children.get(action.process)?.kill();
          children.delete(action.process);
          break;
        case 'find-checkpoint':
          happen({ type: 'checkpoint', group: action.group, adapter: o.findCheckpoint(action.group) });
          break;
        case 'finish':
          close();
          resolve(state);
          break;
        default:
          o.act(action, state);
      }
    }

    function startChild(process: number, slot: WorkerSlot): void {
      const onReply = (reply: Reply) => happen({ type: 'reply', process, reply });
      const onDeath = (message: string) => {
        children.delete(process);
        happen({ type: 'died', process, message });
      };
      try {
        const child = o.startChild(slot, { onReply, onDeath });
        children.set(process, child);
        child.send(o.openRequest(slot));
      } catch (error) {
        onDeath(messageOf(error));
      }
    }

    /** One timer, which is set anew only when it would come too late. */
    function setTimer(): void {
      const at = wakeTime(state);
      if (at >= timer.at) return;
      timer.cancel();
      timer = { at, cancel: clock.after(at - clock.now(), wake) };
    }

    function wake(): void {
      timer = { at: Number.POSITIVE_INFINITY, cancel: () => {} };
      happen({ type: 'tick' });
    }

    function close(): void {
      timer.cancel();
      signal?.removeEventListener('abort', stop);
      for (const child of children.values()) child.kill();
      children.clear();
    }

    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    else wake();
  });
}
