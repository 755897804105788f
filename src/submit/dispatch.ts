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
import { type Action, type Event, limitOf, type Seat, type State, type Tuning } from './state.js';
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
  setSeat,
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
  const seat =
    'process' in event ? turn.seats.findIndex(({ process }) => process?.id === event.process) : undefined;
  if (seat === -1) return;
  switch (event.type) {
    case 'reply':
      hear(turn, seat!, event.reply);
      break;
    case 'died':
      died(turn, seat!, event.message);
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

function hear(turn: Turn, seat: number, reply: Reply): void {
  setProcess(turn, seat, { heard: turn.now });
  const { job } = processOf(turn, seat);
  switch (reply.type) {
    case 'note':
      turn.actions.push({ type: 'note', text: reply.text });
      break;
    case 'step':
      if (job.type === 'tune') turn.actions.push({ type: 'step', group: job.tuning.group, reply });
      break;
    case 'answer':
      answered(turn, seat, reply.index, reply.answer);
      break;
    case 'done':
      finished(turn, seat, reply);
      break;
    case 'failed':
      failed(turn, seat, reply.message);
      break;
  }
}

/** An answer is there, or the prompt is too long for one. */
function answered(turn: Turn, seat: number, index: number, answer: Answer | null): void {
  const { job, loaded } = processOf(turn, seat);
  const item = job.type === 'predict' ? job.chunk.items[index] : undefined;
  if (job.type !== 'predict' || item === undefined || !job.left.includes(item)) return;
  setProcess(turn, seat, { job: { ...job, left: job.left.filter((other) => other !== item) } });
  setSeat(turn, seat, { deaths: 0 });
  turn.actions.push({ type: 'keep', item, answer });
  if (answer !== null) {
    const { group } = job.chunk;
    const { adapters, answers } = turn.groups[group]!;
    if (loaded?.adapter === adapters[0]) setGroup(turn, group, { answers: answers + 1 });
    if (job.chunk.taskId !== undefined) turn.votes = withVotes(turn.votes, item, answer);
    turn.unwritten = true;
  }
  count(turn, [item]);
}

/** A process has done what it was asked. */
function finished(
  turn: Turn,
  seat: number,
  { checkpoint, tuning }: { checkpoint?: string; tuning?: TuningReport },
): void {
  const { job } = processOf(turn, seat);
  switch (job.type) {
    case 'open':
      setProcess(turn, seat, { job: { type: 'idle' } });
      if (job.tuning !== undefined) tune(turn, seat, job.tuning);
      break;
    case 'tune':
      kill(turn, seat, 'its work is done');
      tuned(turn, job.tuning.group, checkpoint ?? null);
      break;
    case 'load': {
      const { chunk, adapter } = job;
      setProcess(turn, seat, { job: { type: 'idle' }, loaded: { group: chunk.group, adapter } });
      proceed(turn, seat, chunk);
      break;
    }
    case 'adapt': {
      const { chunk, since } = job;
      const { loaded } = processOf(turn, seat);
      measureWork(turn, chunk, { since, kind: 'tune', part: tuning?.part ?? 0 });
      setProcess(turn, seat, { job: { type: 'idle' }, loaded: { ...loaded!, taskId: chunk.taskId! } });
      proceed(turn, seat, chunk);
      break;
    }
    case 'predict': {
      const { chunk, left, since } = job;
      measureWork(turn, chunk, { since, kind: 'predict', part: left.length === 0 ? 1 : 0 });
      setProcess(turn, seat, { job: { type: 'idle' } });
      retry(turn, chunk, processOf(turn, seat).loaded, left, 'the process left it out');
      break;
    }
  }
}

/** A process could not do what it was asked. It can be asked again. */
function failed(turn: Turn, seat: number, message: string): void {
  const { job, loaded } = processOf(turn, seat);
  switch (job.type) {
    case 'open':
      turn.actions.push({ type: 'kill', process: processOf(turn, seat).id, reason: 'it could not begin' });
      died(turn, seat, message);
      break;
    case 'tune':
      kill(turn, seat, 'its work is done');
      tuningFailed(turn, job.tuning.group, message);
      break;
    case 'load':
      setProcess(turn, seat, { job: { type: 'idle' }, loaded: null });
      giveUpModel(turn, job.chunk.group, job.adapter, message);
      putBack(turn, [job.chunk]);
      break;
    case 'adapt':
      setProcess(turn, seat, { job: { type: 'idle' } });
      if (turn.groups[job.chunk.group]!.unadapted.includes(job.chunk.taskId!)) {
        // not even the model as it was can be had: no other request would change that
        retry(turn, job.chunk, loaded, job.chunk.items, message);
        break;
      }
      adaptFailed(turn, job.chunk, message);
      proceed(turn, seat, job.chunk);
      break;
    case 'predict':
      setProcess(turn, seat, { job: { type: 'idle' } });
      retry(turn, job.chunk, loaded, job.left, message);
      break;
  }
}

/** A process has ended, or was ended, before it was done. */
function died(turn: Turn, seat: number, message: string): void {
  const { job, loaded } = processOf(turn, seat);
  const { slot, deaths } = turn.seats[seat]!;
  const isTuning = 'tuning' in job && job.tuning !== undefined;
  setSeat(turn, seat, { process: null, deaths: deaths + Number(job.type !== 'tune') });
  if (isTuning) {
    tuningFailed(turn, job.tuning!.group, message);
    return;
  }
  fail(turn, { stage: 'process', message: `${slot.name}: ${message}` });
  if (deaths + 1 === turn.policy.maxProcessFailures) {
    const times = `${deaths + 1} times in a row without an answer`;
    fail(turn, { stage: 'process', message: `${slot.name} ended ${times} and is given up` });
  }
  if (job.type === 'load') {
    const { group } = job.chunk;
    const loadDeaths = turn.groups[group]!.loadDeaths + 1;
    setGroup(turn, group, { loadDeaths });
    if (loadDeaths >= MOST_LOAD_DEATHS) giveUpModel(turn, group, job.adapter, message);
    putBack(turn, [job.chunk]);
  }
  if (job.type === 'adapt') {
    const { group, taskId } = job.chunk;
    const { adaptDeaths } = turn.groups[group]!;
    const times = (adaptDeaths[taskId!] ?? 0) + 1;
    setGroup(turn, group, { adaptDeaths: { ...adaptDeaths, [taskId!]: times } });
    if (times >= MOST_LOAD_DEATHS || turn.now >= job.until) adaptFailed(turn, job.chunk, message);
    putBack(turn, [job.chunk]);
  }
  if (job.type === 'predict') {
    // other requests are asked again in halves; a search stands alone, and an accident is not to cost it
    const isSearch = job.left.length === 1 && job.left[0]!.views !== undefined;
    if (isSearch && !job.chunk.isRepeated) putBack(turn, [{ ...job.chunk, isRepeated: true }]);
    else retry(turn, job.chunk, loaded, job.left, message);
  }
}

/** Ends processes that have been silent, or busy with one group, for too long. */
function endSilentProcesses(turn: Turn): void {
  for (const [seat, { process }] of turn.seats.entries()) {
    if (process === null) continue;
    const { at, reason } = limitOf(process, turn.policy);
    if (turn.now < at) continue;
    turn.actions.push({ type: 'kill', process: process.id, reason });
    died(turn, seat, reason);
  }
}

/** Gives work to processes that have none, starts processes for work that waits, and ends when there is no work. */
function handOut(turn: Turn): void {
  for (const [seat, { process }] of turn.seats.entries()) if (process?.job.type === 'idle') give(turn, seat);
  const isOpening = ({ process }: Seat) => process?.job.type === 'open';
  let opening = turn.seats.filter(isOpening).length;
  for (const [seat, { process, deaths }] of turn.seats.entries()) {
    if (process !== null || deaths >= turn.policy.maxProcessFailures || turn.queue.length <= opening)
      continue;
    start(turn, seat);
    opening += 1;
  }
  if (turn.seats.some(({ process }) => process !== null && 'chunk' in process.job)) return;
  if (turn.queue.length === 0) end(turn, 'done');
  else if (turn.seats.every(({ process }) => process === null)) end(turn, 'given up');
}

/** Gives an idle process the next predictions, or the model that they need first. */
function give(turn: Turn, seat: number): void {
  const { loaded } = processOf(turn, seat);
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
  if (chunk !== null) proceed(turn, seat, chunk);
}

/** What a process has to do next for a chunk: load its model, learn its task, or predict. */
function proceed(turn: Turn, seat: number, chunk: Chunk): void {
  const { id, loaded } = processOf(turn, seat);
  const { group, taskId } = chunk;
  const adapter = turn.groups[group]!.adapters[0];
  if (adapter === undefined) return;
  if (loaded?.group !== group || loaded.adapter !== adapter) {
    setProcess(turn, seat, { job: { type: 'load', chunk, adapter }, loaded: null, heard: turn.now });
    assign(turn, id, { type: 'load', adapterPath: adapter });
  } else if (taskId !== undefined && loaded.taskId !== taskId) {
    adapt(turn, seat, chunk);
  } else {
    predict(turn, seat, chunk);
  }
}

function tune(turn: Turn, seat: number, tuning: Tuning): void {
  setProcess(turn, seat, { job: { type: 'tune', tuning } });
  assign(turn, processOf(turn, seat).id, { type: 'fine-tune', group: tuning.group, seconds: tuning.seconds });
}

function predict(turn: Turn, seat: number, chunk: Chunk): void {
  setProcess(turn, seat, {
    job: { type: 'predict', chunk, left: chunk.items, since: turn.now },
    heard: turn.now,
  });
  const { deadline, taskTimeLimit } = turn.policy;
  const seconds = Math.min(deadline - turn.now, taskTimeLimit);
  assign(turn, processOf(turn, seat).id, { type: 'predict', items: chunk.items, seconds });
}
