/**
 * @file Who does what next: a pure function of the state, an event and the time. Processes, timers and files belong to
 * the loop around it (loop.ts), which reports what happens and carries out what is decided:
 * - each group of tasks is fine-tuned first, if asked for, one process for each slot at a time;
 * - then all processes take from one queue (queue.ts), a few predictions at a time. Who is asked together is settled
 *   beforehand (plan.ts);
 * - every answer is kept as soon as it is there. When a request fails, what is left of it is halved and asked again,
 *   until the item that cannot be done stands alone;
 * - a search takes up what was predicted for its test input, and waits for that (searches.ts);
 * - a task with a failure is asked alone from then on, and dropped after `maxTaskFailures`;
 * - a process that ends, or gives no sign of life, is started again. One that ends again and again without an answer
 *   is given up, and the others do its work;
 * - a model that answers nothing at all makes way for the next of its group: the fine-tuned adapter, the given one,
 *   none.
 */
import { adapt, adaptFailed, measureWork, worthFor } from './adapting.js';
import type { Chunk } from './plan.js';
import type { Answer, Reply, TuningReport } from './protocol.js';
import { takeChunk } from './queue.js';
import { giveUpModel, putBack, retry } from './retry.js';
import { withVotes } from './schedule.js';
import { readiness } from './searches.js';
import { type Action, type Event, limitOf, type State, type Tuning, type Worker } from './state.js';
import { startTuning, tuned, tuningFailed } from './tuning.js';
import {
  assign,
  count,
  end,
  fail,
  kill,
  processOf,
  setGroup,
  setProcess,
  setWorker,
  start,
  type Turn,
} from './turn.js';

/** So many processes that ended while they loaded a model, or learnt a task, mean that it is that: one may be chance. */
const MOST_LOAD_DEATHS = 2;

/** What happens next. Events of processes that were ended, and all events after the end, change nothing. */
export function reduce(
  state: State,
  event: Event,
  now: number,
): { readonly state: State; readonly actions: readonly Action[] } {
  if (state.phase === 'ended') return { state, actions: [] };
  const turn: Turn = { ...state, now, actions: [] };
  take(turn, event);
  if (now >= turn.policy.deadline) end(turn, 'deadline');
  endSilentProcesses(turn);
  if (turn.phase === 'tune') startTuning(turn);
  if (turn.phase === 'predict') handOut(turn);
  if (turn.phase !== 'ended' && now >= turn.lastWrite + turn.policy.writeInterval) {
    turn.actions.push({ type: 'write', hasAnswers: turn.unwritten });
    turn.unwritten = false;
    turn.lastWrite = now;
  }
  const { actions, now: _, ...next } = turn;
  return { state: next, actions };
}

function take(turn: Turn, event: Event): void {
  const worker =
    'process' in event ? turn.workers.findIndex(({ process }) => process?.id === event.process) : undefined;
  if (worker === -1) return;
  switch (event.type) {
    case 'reply':
      hear(turn, worker!, event.reply);
      break;
    case 'died':
      died(turn, worker!, event.message);
      break;
    case 'checkpoint':
      if (event.adapter !== null) {
        turn.actions.push({ type: 'note', text: `${event.adapter} is used instead` });
      }
      tuned(turn, event.group, event.adapter);
      break;
    case 'stop':
      turn.actions.push({ type: 'fail', failure: { stage: 'stopped', message: event.message } });
      end(turn, 'stopped');
      break;
  }
}

function hear(turn: Turn, worker: number, reply: Reply): void {
  setProcess(turn, worker, { heard: turn.now });
  const { activity } = processOf(turn, worker);
  switch (reply.type) {
    case 'note':
      turn.actions.push({ type: 'note', text: reply.text });
      break;
    case 'step':
      if (activity.type === 'tune') turn.actions.push({ type: 'step', group: activity.tuning.group, reply });
      break;
    case 'answer':
      answered(turn, worker, reply.index, reply.answer);
      break;
    case 'done':
      finished(turn, worker, reply);
      break;
    case 'failed':
      failed(turn, worker, reply.message);
      break;
  }
}

/** An answer is there, or the prompt is too long for one. */
function answered(turn: Turn, worker: number, index: number, answer: Answer | null): void {
  const { activity, loaded } = processOf(turn, worker);
  const item = activity.type === 'predict' ? activity.chunk.items[index] : undefined;
  if (activity.type !== 'predict' || item === undefined || !activity.left.includes(item)) return;
  setProcess(turn, worker, {
    activity: { ...activity, left: activity.left.filter((other) => other !== item) },
  });
  setWorker(turn, worker, { deaths: 0 });
  turn.actions.push({ type: 'keep', item, answer });
  if (answer !== null) {
    const { group } = activity.chunk;
    const { adapters, answers } = turn.groups[group]!;
    if (loaded?.adapter === adapters[0]) setGroup(turn, group, { answers: answers + 1 });
    if (activity.chunk.taskId !== undefined) turn.votes = withVotes(turn.votes, item, answer);
    turn.unwritten = true;
  }
  count(turn, [item]);
}

/** A process has done what it was asked. */
function finished(
  turn: Turn,
  worker: number,
  { checkpoint, tuning }: { checkpoint?: string; tuning?: TuningReport },
): void {
  const { activity } = processOf(turn, worker);
  switch (activity.type) {
    case 'open':
      setProcess(turn, worker, { activity: { type: 'idle' } });
      if (activity.tuning !== undefined) tune(turn, worker, activity.tuning);
      break;
    case 'tune':
      kill(turn, worker, 'its work is done');
      tuned(turn, activity.tuning.group, checkpoint ?? null);
      break;
    case 'load': {
      const { chunk, adapter } = activity;
      setProcess(turn, worker, { activity: { type: 'idle' }, loaded: { group: chunk.group, adapter } });
      proceed(turn, worker, chunk);
      break;
    }
    case 'adapt': {
      const { chunk, since } = activity;
      const { loaded } = processOf(turn, worker);
      measureWork(turn, chunk, { since, kind: 'tune', part: tuning?.part ?? 0 });
      setProcess(turn, worker, { activity: { type: 'idle' }, loaded: { ...loaded!, taskId: chunk.taskId! } });
      proceed(turn, worker, chunk);
      break;
    }
    case 'predict': {
      const { chunk, left, since } = activity;
      measureWork(turn, chunk, { since, kind: 'predict', part: left.length === 0 ? 1 : 0 });
      setProcess(turn, worker, { activity: { type: 'idle' } });
      retry(turn, chunk, processOf(turn, worker).loaded, left, 'the process left it out');
      break;
    }
  }
}

/** A process could not do what it was asked. It can be asked again. */
function failed(turn: Turn, worker: number, message: string): void {
  const { activity, loaded } = processOf(turn, worker);
  switch (activity.type) {
    case 'open':
      turn.actions.push({ type: 'kill', process: processOf(turn, worker).id, reason: 'it could not begin' });
      died(turn, worker, message);
      break;
    case 'tune':
      kill(turn, worker, 'its work is done');
      tuningFailed(turn, activity.tuning.group, message);
      break;
    case 'load':
      setProcess(turn, worker, { activity: { type: 'idle' }, loaded: null });
      giveUpModel(turn, activity.chunk.group, activity.adapter, message);
      putBack(turn, [activity.chunk]);
      break;
    case 'adapt':
      setProcess(turn, worker, { activity: { type: 'idle' } });
      if (turn.groups[activity.chunk.group]!.unadapted.includes(activity.chunk.taskId!)) {
        // not even the model as it was can be had: no other request would change that
        retry(turn, activity.chunk, loaded, activity.chunk.items, message);
        break;
      }
      adaptFailed(turn, activity.chunk, message);
      proceed(turn, worker, activity.chunk);
      break;
    case 'predict':
      setProcess(turn, worker, { activity: { type: 'idle' } });
      retry(turn, activity.chunk, loaded, activity.left, message);
      break;
  }
}

/** A process has ended, or was ended, before it was done. */
function died(turn: Turn, worker: number, message: string): void {
  const { activity, loaded } = processOf(turn, worker);
  const { slot, deaths } = turn.workers[worker]!;
  const isTuning = 'tuning' in activity && activity.tuning !== undefined;
  setWorker(turn, worker, { process: null, deaths: deaths + Number(activity.type !== 'tune') });
  if (isTuning) {
    tuningFailed(turn, activity.tuning!.group, message);
    return;
  }
  fail(turn, { stage: 'process', message: `${slot.name}: ${message}` });
  if (deaths + 1 === turn.policy.maxProcessFailures) {
    const times = `${deaths + 1} times in a row without an answer`;
    fail(turn, { stage: 'process', message: `${slot.name} ended ${times} and is given up` });
  }
  if (activity.type === 'load') {
    const { group } = activity.chunk;
    const loadDeaths = turn.groups[group]!.loadDeaths + 1;
    setGroup(turn, group, { loadDeaths });
    if (loadDeaths >= MOST_LOAD_DEATHS) giveUpModel(turn, group, activity.adapter, message);
    putBack(turn, [activity.chunk]);
  }
  if (activity.type === 'adapt') {
    const { group, taskId } = activity.chunk;
    const { adaptDeaths } = turn.groups[group]!;
    const times = (adaptDeaths[taskId!] ?? 0) + 1;
    setGroup(turn, group, { adaptDeaths: { ...adaptDeaths, [taskId!]: times } });
    if (times >= MOST_LOAD_DEATHS || turn.now >= activity.until) adaptFailed(turn, activity.chunk, message);
    putBack(turn, [activity.chunk]);
  }
  if (activity.type === 'predict') {
    // other requests are asked again in halves; a search stands alone, and an accident is not to cost it
    const isSearch = activity.left.length === 1 && activity.left[0]!.views !== undefined;
    if (isSearch && !activity.chunk.isRepeated) putBack(turn, [{ ...activity.chunk, isRepeated: true }]);
    else retry(turn, activity.chunk, loaded, activity.left, message);
  }
}

/** Ends processes that have been silent, or busy with one group, for too long. */
function endSilentProcesses(turn: Turn): void {
  for (const [worker, { process }] of turn.workers.entries()) {
    if (process === null) continue;
    const { at, reason } = limitOf(process, turn.policy);
    if (turn.now < at) continue;
    turn.actions.push({ type: 'kill', process: process.id, reason });
    died(turn, worker, reason);
  }
}

/** Gives work to processes that have none, starts processes for work that waits, and ends when there is no work. */
function handOut(turn: Turn): void {
  for (const [worker, { process }] of turn.workers.entries())
    if (process?.activity.type === 'idle') give(turn, worker);
  const isOpening = ({ process }: Worker) => process?.activity.type === 'open';
  let opening = turn.workers.filter(isOpening).length;
  for (const [worker, { process, deaths }] of turn.workers.entries()) {
    if (process !== null || deaths >= turn.policy.maxProcessFailures || turn.queue.length <= opening)
      continue;
    start(turn, worker);
    opening += 1;
  }
  if (turn.workers.some(({ process }) => process !== null && 'chunk' in process.activity)) return;
  if (turn.queue.length === 0) end(turn, 'done');
  else if (turn.workers.every(({ process }) => process === null)) end(turn, 'given up');
}

/** Gives an idle process the next predictions, or the model that they need first. */
function give(turn: Turn, worker: number): void {
  const { loaded } = processOf(turn, worker);
  const strikes = (group: number, taskId: string) =>
    turn.groups[group]!.struck.filter(({ item }) => item.taskId === taskId).length;
  const { chunk, queue } = takeChunk(turn.queue, {
    preferred: loaded?.group,
    strikes,
    most: turn.policy.maxTaskFailures,
    isReady: readiness(turn),
    worthOf: worthFor(turn),
  });
  turn.queue = queue;
  if (chunk !== null) proceed(turn, worker, chunk);
}

/** What a process has to do next for a chunk: load its model, learn its task, or predict. */
function proceed(turn: Turn, worker: number, chunk: Chunk): void {
  const { id, loaded } = processOf(turn, worker);
  const { group, taskId } = chunk;
  const adapter = turn.groups[group]!.adapters[0];
  if (adapter === undefined) return;
  if (loaded?.group !== group || loaded.adapter !== adapter) {
    setProcess(turn, worker, { activity: { type: 'load', chunk, adapter }, loaded: null, heard: turn.now });
    assign(turn, id, { type: 'load', adapterPath: adapter });
  } else if (taskId !== undefined && loaded.taskId !== taskId) {
    adapt(turn, worker, chunk);
  } else {
    predict(turn, worker, chunk);
  }
}

function tune(turn: Turn, worker: number, tuning: Tuning): void {
  setProcess(turn, worker, { activity: { type: 'tune', tuning } });
  assign(turn, processOf(turn, worker).id, {
    type: 'fine-tune',
    group: tuning.group,
    seconds: tuning.seconds,
  });
}

function predict(turn: Turn, worker: number, chunk: Chunk): void {
  setProcess(turn, worker, {
    activity: { type: 'predict', chunk, left: chunk.items, since: turn.now },
    heard: turn.now,
  });
  const { deadline, taskTimeLimit } = turn.policy;
  const seconds = Math.min(deadline - turn.now, taskTimeLimit);
  assign(turn, processOf(turn, worker).id, { type: 'predict', items: chunk.items, seconds });
}
