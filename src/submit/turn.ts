/** @file One decision while it is made: the next state, and what is to be done. */
import type { PlannedItem } from './plan.js';
import type { Item } from './protocol.js';
import type { Action, EndReason, GroupState, Process, State, Tuning, Work, Worker } from './state.js';

/** A state while the next one is made of it: its fields are replaced, what they hold is never changed. */
export type Turn = { -readonly [Name in keyof State]: State[Name] } & {
  readonly now: number;
  readonly actions: Action[];
};

/** Counts predictions as done, or no longer. */
export function count(turn: Turn, items: readonly PlannedItem[], sign = 1): void {
  turn.done += sign * items.length;
  turn.doneCost += sign * items.reduce((sum, { cost }) => sum + cost, 0);
  if (sign > 0) turn.actions.push({ type: 'progress' });
}

/** Ends all processes; what failed alone has failed for good. */
export function end(turn: Turn, reason: EndReason): void {
  if (turn.phase === 'ended') return;
  for (const [worker, { process }] of turn.workers.entries()) {
    if (process !== null) kill(turn, worker, 'the submission ends');
  }
  for (const { struck } of turn.groups) {
    for (const { item, message } of struck) {
      turn.actions.push({ type: 'fail', failure: { stage: 'predict', ...inputOf(item), message } });
    }
  }
  turn.actions.push({ type: 'finish' });
  turn.phase = 'ended';
  turn.reason = reason;
  turn.unwritten = false;
}

/** Starts a process in a slot. */
export function start(turn: Turn, worker: number, tuning?: Tuning): void {
  turn.started += 1;
  const activity = tuning === undefined ? ({ type: 'open' } as const) : ({ type: 'open', tuning } as const);
  setWorker(turn, worker, { process: { id: turn.started, activity, heard: turn.now, loaded: null } });
  turn.actions.push({ type: 'start', process: turn.started, slot: turn.workers[worker]!.slot });
}

export function kill(turn: Turn, worker: number, reason: string): void {
  turn.actions.push({ type: 'kill', process: processOf(turn, worker).id, reason });
  setWorker(turn, worker, { process: null });
}

export const assign = (turn: Turn, process: number, work: Work): void => {
  turn.actions.push({ type: 'assign', process, work });
};

/** Takes note of a failure, and says it. */
export function fail(turn: Turn, failure: Extract<Action, { type: 'fail' }>['failure']): void {
  turn.actions.push({ type: 'fail', failure }, { type: 'note', text: failure.message });
}

const inputOf = ({ taskId, testIndex }: Item) => ({ taskId, testIndex });

export const processOf = (turn: Turn, worker: number): Process => turn.workers[worker]!.process!;

export function setWorker(turn: Turn, place: number, changes: Partial<Worker>): void {
  turn.workers = turn.workers.with(place, { ...turn.workers[place]!, ...changes });
}

export function setProcess(turn: Turn, worker: number, changes: Partial<Process>): void {
  setWorker(turn, worker, { process: { ...processOf(turn, worker), ...changes } });
}

export function setGroup(turn: Turn, place: number, changes: Partial<GroupState>): void {
  turn.groups = turn.groups.with(place, { ...turn.groups[place]!, ...changes });
}
