/** Plays the processes and the time of a submission around its reducer, and checks what must hold at every step. */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { Grid } from '../../src/arc/types.js';
import type { Prediction } from '../../src/evaluation/types.js';
import { policyTable, submitOptions } from '../../src/options/submit.js';
import { pick } from '../../src/options/table.js';
import { usualSpeeds } from '../../src/submit/costs.js';
import { reduce } from '../../src/submit/dispatch.js';
import type { Chunk, Plan, PlannedItem } from '../../src/submit/plan.js';
import type { Policy } from '../../src/submit/policy.js';
import type { Item, Reply } from '../../src/submit/protocol.js';
import {
  type Action,
  type Before,
  type Event,
  initialState,
  type State,
  wakeTime,
} from '../../src/submit/state.js';

/** How a request ends: `silent` never. */
export type Fate = 'done' | 'failed' | 'died' | 'silent';

/** What processes do; where nothing is said they do what they are asked, in a second or so. */
export interface World {
  readonly plan: Plan;
  readonly slots?: number;
  readonly policy?: Partial<Policy>;
  readonly seconds?: (item?: Item) => number;
  /** The grid of an answer. @param part how much of its task was learnt, from 0 to 1 */
  readonly grid?: (item: Item, part: number) => Grid;
  /** How likely an answer is, in nats. */
  readonly logProb?: (item: Item) => number;
  /** How long the fine-tuning of a group would take. */
  readonly tuneSeconds?: (group: number) => number;
  readonly open?: (slot: string) => Fate;
  readonly tune?: (group: number) => Fate;
  readonly loadSeconds?: number;
  readonly load?: (adapter: string | null) => Fate;
  /** The fine-tuning on a task; it takes `adaptSeconds`, or less where it gets less. */
  readonly adapt?: (taskId: string, adapter: string | null) => Fate;
  /** The same where it gets no time: the model is put back as it was. */
  readonly reset?: (taskId: string) => Fate;
  readonly adaptSeconds?: (taskId: string) => number;
  readonly answer?: (item: Item, adapter: string | null, slot: string) => Fate | 'too long';
  /** Also check that the reducer is pure, which takes longer than all else; true where nothing is said. */
  readonly checksPurity?: boolean;
  /** What an earlier part of it has done. */
  readonly before?: Before;
  /** When somebody stops it. */
  readonly stopAt?: number;
  /** The newest checkpoint of a group whose fine-tuning failed. */
  readonly checkpoint?: (group: number) => string | null;
}

export const policy: Policy = {
  ...pick(submitOptions.defaults, policyTable),
  deadline: Number.POSITIVE_INFINITY,
  stallTimeout: 60,
  tuningSeconds: 0,
  tuningGrace: 10,
  tuningShare: 0.5,
  taskTimeLimit: Number.POSITIVE_INFINITY,
};

/** Cheap for tasks that come first in the alphabet. */
export const costOf = (taskId: string): number => 1 + taskId.charCodeAt(0) - 97;

/** Items in rounds: a/0, b/0, …, a/1, b/1, …, asked for `size` at a time. */
export function planOf(
  taskIds: readonly string[],
  count: number,
  size = 2,
  groups = [{ taskIds, adapters: [null] as (string | null)[] }],
): Plan {
  const chunks = groups.flatMap(({ taskIds }, group) => {
    const items = Array.from({ length: count }, (_, i) =>
      taskIds.map((taskId) => ({ taskId, testIndex: 0, i, cost: 1 })),
    ).flat();
    return Array.from({ length: Math.ceil(items.length / size) }, (_, k) => {
      const part = items.slice(k * size, (k + 1) * size);
      return { group, turn: part[0]!.i, items: part, tokens: { tune: 0, prompt: 0, answer: 0 } };
    });
  });
  chunks.sort((a, b) => a.turn - b.turn);
  const inputs = taskIds.length;
  return { groups, chunks, inputs, items: inputs * count, withoutView: 0, speeds: usualSpeeds };
}

/** The same with a search for each test input when its predictions are made. */
export function withSearches(plan: Plan): Plan {
  const last = new Map<string, { chunk: Chunk; item: PlannedItem }>();
  for (const chunk of plan.chunks) for (const item of chunk.items) last.set(item.taskId, { chunk, item });
  const turns = Math.max(...plan.chunks.map(({ turn }) => turn)) + 1;
  const searches = [...last.values()].map(({ chunk, item }): Chunk => {
    const turn = chunk.taskId === undefined ? turns : chunk.turn + 1;
    return { ...chunk, turn, items: [{ ...item, i: item.i + 1, views: 4 }] };
  });
  return { ...plan, chunks: [...plan.chunks, ...searches], items: plan.items + searches.length };
}

/** Each task by itself, `size` predictions in a turn. */
export function taskPlanOf(
  taskIds: readonly string[],
  count: number,
  size = 2,
  adapters: (string | null)[] = [null],
): Plan {
  const plan = planOf(taskIds, count, size, [{ taskIds, adapters }]);
  const chunks = taskIds.flatMap((taskId) =>
    Array.from({ length: Math.ceil(count / size) }, (_, turn): Chunk => {
      const length = Math.min(size, count - turn * size);
      const cost = costOf(taskId);
      const items = Array.from({ length }, (_, k) => ({ taskId, testIndex: 0, i: turn * size + k, cost }));
      const tokens = { tune: 100 * cost, prompt: length * cost, answer: length * cost };
      return { group: 0, taskId, turn, items, tokens };
    }),
  );
  chunks.sort((a, b) => a.turn - b.turn || a.tokens.tune - b.tokens.tune);
  return { ...plan, chunks };
}

export const key = ({ taskId, i }: Item) => `${taskId}/${i}`;

interface Actor {
  readonly slot: string;
  adapter: string | null;
  /** The task that it was fine-tuned on, and whether it has learnt it. */
  taskId?: string | undefined;
  part: number;
  isBusy: boolean;
  /** It has ended, and the reducer knows it. */
  isGone: boolean;
  hasEnded: boolean;
}

/** Runs a submission to its end. */
export function play(world: World) {
  const { plan, seconds = () => 1, checksPurity = true } = world;
  const kept: string[] = [];
  const tooLong: string[] = [];
  const asked: { slot: string; items: string[]; adapter: string | null }[] = [];
  const failures: Extract<Action, { type: 'fail' }>['failure'][] = [];
  const adapted: { taskId: string; slot: string; seconds: number; keep: boolean; part: number }[] = [];
  /** How much of each task and group was learnt. */
  const parts = new Map<string, number>();
  const tuned = new Map<number, number>();
  const loads: (string | null)[] = [];
  const writes: number[] = [];
  const actors = new Map<number, Actor>();
  const loading = new Set<Chunk>();
  const coming: { at: number; event: Event }[] = [];
  let state = deepFreeze(
    initialState(
      plan,
      Array.from({ length: world.slots ?? 1 }, (_, i) => ({ name: `process ${i + 1}` })),
      { ...policy, ...world.policy },
      0,
      world.before,
    ),
  );
  let now = 0;
  let finished = 0;
  /** When the oldest answer came that no write has. */
  let oldest = Number.POSITIVE_INFINITY;

  const later = (at: number, event: Event) => coming.push({ at, event });
  const reply = (at: number, process: number, reply: Reply) => later(at, { type: 'reply', process, reply });

  /** The end of a request, as its fate wants it. */
  function conclude(process: number, at: number, fate: Fate, checkpoint?: string): void {
    if (fate === 'done') reply(at, process, { type: 'done', ...(checkpoint ? { checkpoint } : {}) });
    if (fate === 'failed') reply(at, process, { type: 'failed', message: 'no' });
    if (fate === 'died') later(at, { type: 'died', process, message: 'killed' });
  }

  function predict(process: number, items: readonly PlannedItem[]): void {
    const actor = actors.get(process)!;
    asked.push({ slot: actor.slot, items: items.map(key), adapter: actor.adapter });
    const group = plan.groups.findIndex(({ taskIds }) => taskIds.includes(items[0]!.taskId));
    if (actor.adapter !== state.groups[group]!.adapters[0]) expect.unreachable('another model than the best');
    const isByTask = plan.chunks[0]!.taskId !== undefined;
    if (isByTask && items.some(({ taskId }) => taskId !== actor.taskId)) {
      expect.unreachable('the adapter of another task');
    }
    let at = now;
    for (const [index, item] of items.entries()) {
      at += seconds(item);
      const fate = world.answer?.(item, actor.adapter, actor.slot) ?? 'done';
      if (fate !== 'done' && fate !== 'too long') {
        conclude(process, at, fate);
        return;
      }
      const grid = world.grid?.(item, isByTask ? actor.part : (tuned.get(group) ?? 0)) ?? null;
      const logProb = world.logProb?.(item) ?? -1;
      const prediction = { taskId: item.taskId, testIndex: item.testIndex, grid, logProb } as Prediction;
      reply(at, process, {
        type: 'answer',
        index,
        answer: fate === 'done' ? { predictions: [prediction] } : null,
      });
    }
    conclude(process, at, 'done');
  }

  /** When a process takes work, nothing of an earlier round waits. */
  function checkRounds(taken: State): void {
    const jobs = taken.workers.flatMap(({ process }) =>
      process && 'chunk' in process.activity && process.heard === now ? [process.activity] : [],
    );
    // later turns of tasks go where they are worth most
    const isFirst = (turn: number) => plan.chunks[0]!.taskId === undefined || turn === 0;
    const lowest = Math.min(...taken.queue.flatMap(({ turn }) => (isFirst(turn) ? [turn] : [])));
    for (const { type, chunk } of jobs) {
      const wasLoading = type !== 'load' && loading.has(chunk);
      if (!wasLoading && chunk.turn > lowest) expect.unreachable('a second turn before a first');
      loading.add(chunk);
    }
  }

  /** A search builds on everything that was predicted for its test input. */
  function checkSearches(taken: State): void {
    const jobs = taken.workers.flatMap(({ process }) =>
      process && 'chunk' in process.activity ? [process.activity] : [],
    );
    const running = jobs.flatMap((activity) =>
      activity.type === 'predict' ? activity.left : activity.chunk.items,
    );
    const searches = running.filter(({ views }) => views !== undefined);
    if (searches.length === 0) return;
    const waiting = taken.queue.flatMap(({ items }) => items);
    const open = [...running, ...waiting].filter(({ views }) => views === undefined);
    const isEarly = searches.some(({ taskId }) => open.some((item) => item.taskId === taskId));
    if (isEarly) expect.unreachable('a search that comes too early');
  }

  function carryOut(action: Action): void {
    if (finished > 0) expect.unreachable('an action after the end');
    switch (action.type) {
      case 'start': {
        const slot = action.slot.name;
        actors.set(action.process, {
          slot,
          adapter: null,
          part: 0,
          isBusy: true,
          isGone: false,
          hasEnded: false,
        });
        conclude(action.process, now + seconds(), world.open?.(slot) ?? 'done');
        break;
      }
      case 'assign': {
        const { process, work } = action;
        const actor = actors.get(process)!;
        if (actor.isGone || actor.isBusy) expect.unreachable('work for a process that is dead or busy');
        actor.isBusy = true;
        if (work.type === 'predict') {
          predict(process, work.items);
        } else if (work.type === 'load') {
          loads.push(work.adapterPath);
          const fate = world.load?.(work.adapterPath) ?? 'done';
          if (fate === 'done') Object.assign(actor, { adapter: work.adapterPath, taskId: undefined });
          conclude(process, now + (world.loadSeconds ?? seconds()), fate);
        } else if (work.type === 'adapt') {
          const { taskId } = work;
          const fate =
            (work.seconds > 0 ? world.adapt?.(taskId, actor.adapter) : world.reset?.(taskId)) ?? 'done';
          // an adapter that was kept is read in no time
          const wanted = parts.has(taskId) ? 0.1 : (world.adaptSeconds?.(taskId) ?? seconds());
          const spent = Math.min(work.seconds, wanted);
          adapted.push({
            taskId,
            slot: actor.slot,
            seconds: work.seconds,
            keep: work.keep,
            part: spent / wanted,
          });
          Object.assign(actor, { taskId, part: parts.get(taskId) ?? spent / wanted });
          if (work.keep) parts.set(taskId, actor.part);
          if (fate === 'done') {
            const tuning = { steps: 1, part: spent / wanted, loss: 0 };
            reply(now + spent, process, { type: 'done', tuning });
          } else conclude(process, now + spent, fate);
        } else {
          const wanted = world.tuneSeconds?.(work.group) ?? seconds();
          const spent = Math.min(work.seconds, wanted);
          tuned.set(work.group, spent / wanted);
          conclude(process, now + spent, world.tune?.(work.group) ?? 'done', `tuned-${work.group}`);
        }
        break;
      }
      case 'kill':
        if (actors.get(action.process)!.isGone) expect.unreachable('a dead process is killed');
        actors.get(action.process)!.isGone = true;
        break;
      case 'find-checkpoint':
        later(now, {
          type: 'checkpoint',
          group: action.group,
          adapter: world.checkpoint?.(action.group) ?? null,
        });
        break;
      case 'keep':
        if (action.answer === null) tooLong.push(key(action.item));
        else kept.push(key(action.item));
        oldest = Math.min(oldest, now);
        break;
      case 'fail':
        failures.push(action.failure);
        break;
      case 'write':
        writes.push(now);
        oldest = Number.POSITIVE_INFINITY;
        break;
      case 'finish':
        finished += 1;
        // the loop writes at the end
        oldest = Number.POSITIVE_INFINITY;
    }
  }

  function happen(event: Event): void {
    const actor = 'process' in event ? actors.get(event.process) : undefined;
    if (event.type === 'reply' && actor?.hasEnded) return;
    if (event.type === 'died' && actor) actor.hasEnded = actor.isGone = true;
    if (event.type === 'reply' && actor && /^(done|failed)$/.test(event.reply.type)) actor.isBusy = false;
    const isHeard = event.type === 'reply' && !actor!.isGone && state.phase !== 'ended';
    const before = state;
    const { state: after, actions } = reduce(state, event, now);
    // the same question has the same answer, and the state that was asked about is as it was (it is frozen)
    const isPure = () => isDeepStrictEqual(reduce(before, event, now), { state: after, actions });
    if (checksPurity && !isPure()) expect.unreachable('the same question has another answer');
    if (isHeard && event.reply.type === 'answer' && event.reply.answer !== null) {
      expect(
        actions.some(({ type }) => type === 'keep'),
        'every answer is kept',
      ).toBe(true);
    }
    state = checksPurity ? deepFreeze(after) : after;
    checkRounds(state);
    checkSearches(state);
    for (const action of actions) carryOut(action);
    const { writeInterval } = state.policy;
    if (now - oldest > writeInterval + 1e-6) expect.unreachable('an answer that is not soon written');
  }

  if (world.stopAt !== undefined) later(world.stopAt, { type: 'stop', message: 'stopped' });
  happen({ type: 'tick' });
  for (let steps = 0; state.phase !== 'ended'; steps++) {
    if (steps > 200_000) expect.unreachable('no end');
    const next = coming.reduce((a, b) => (b.at < a.at ? b : a), { at: Infinity, event: { type: 'tick' } });
    const wake = wakeTime(state);
    if (Math.min(next.at, wake) === Infinity) expect.unreachable('nothing will ever happen');
    if (next.at <= wake) coming.splice(coming.indexOf(next), 1);
    now = Math.max(now, Math.min(next.at, wake));
    happen(next.at <= wake ? next.event : { type: 'tick' });
  }
  expect(finished).toBe(1);
  if ([...actors.values()].some(({ isGone }) => !isGone)) expect.unreachable('a process outlives the end');
  expect(now).toBeLessThanOrEqual(state.policy.deadline);
  // what was on its way comes too late
  for (const { event } of coming) happen(event);
  return { state, kept, tooLong, asked, adapted, failures, loads, writes, now, starts: actors.size };
}

/** Whoever changes it fails. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}

export type { State };
