/** @file Everything that the next decision of a submission depends on, what can happen, and what can be done about it. */
import type { SubmitFailure } from './ledger.js';
import type { Chunk, Plan, PlannedItem } from './plan.js';
import type { Policy } from './policy.js';
import type { Answer, Item, Reply } from './protocol.js';
import { type Market, newMarket, withVotes } from './schedule.js';
import type { WorkerSlot } from './slots.js';

/** The fine-tuning of a group, and when its process is ended. */
export interface Tuning {
  readonly group: number;
  readonly seconds: number;
  /** Seconds after the start of the process, and the time that this is. */
  readonly limit: number;
  readonly until: number;
}

/** What a process does. */
export type Activity =
  | { readonly type: 'idle' }
  /** It opens tasks and prompts; with `tuning` it is for that. */
  | { readonly type: 'open'; readonly tuning?: Tuning }
  | { readonly type: 'tune'; readonly tuning: Tuning }
  | { readonly type: 'load'; readonly chunk: Chunk; readonly adapter: string | null }
  /** It fine-tunes on the task of a chunk, which it then predicts. */
  | { readonly type: 'adapt'; readonly chunk: Chunk; readonly since: number; readonly until: number }
  | {
      readonly type: 'predict';
      readonly chunk: Chunk;
      readonly left: readonly PlannedItem[];
      readonly since: number;
    };

/** A process that lives. */
export interface Process {
  readonly id: number;
  readonly activity: Activity;
  /** When it gave the last sign of life, or got something to do. */
  readonly heard: number;
  /** The model that it holds. */
  readonly loaded: Loaded | null;
}

/** A model that is in memory, and the task that it was fine-tuned on. */
export interface Loaded {
  readonly group: number;
  readonly adapter: string | null;
  readonly taskId?: string;
}

/** A place for a process, and the process that is there. */
export interface Worker {
  readonly slot: WorkerSlot;
  /** How often in a row its processes have ended without an answer. */
  readonly deaths: number;
  readonly process: Process | null;
}

/** A group of tasks and what has happened to it. */
export interface GroupState {
  readonly taskIds: readonly string[];
  /** Those that are left to try, the present one first; null is the base alone. */
  readonly adapters: readonly (string | null)[];
  readonly tuning: 'waiting' | 'running' | 'done';
  /** With the present adapter: answers, items that failed alone, and processes that ended while loading it. */
  readonly answers: number;
  readonly struck: readonly Struck[];
  readonly loadDeaths: number;
  /** How often a process ended while it fine-tuned on a task, and the tasks that are predicted without. */
  readonly adaptDeaths: Readonly<Record<string, number>>;
  readonly unadapted: readonly string[];
}

/** An item that failed alone. */
export interface Struck {
  readonly item: PlannedItem;
  readonly chunk: Chunk;
  readonly message: string;
}

export interface State extends Market {
  readonly phase: 'tune' | 'predict' | 'ended';
  /** Why it has ended: nothing is left to do, nobody is left to do it, time is up, or it was stopped. */
  readonly reason?: EndReason;
  readonly policy: Policy;
  readonly groups: readonly GroupState[];
  readonly queue: readonly Chunk[];
  readonly workers: readonly Worker[];
  /** How many processes were started. */
  readonly started: number;
  /** Items that are wanted, those that are done, with an answer or without, and what these have cost. */
  readonly total: number;
  readonly done: number;
  readonly doneCost: number;
  readonly predictingSince: number;
  /** Seconds for the fine-tuning of each group. */
  readonly tuningShare: number;
  /** Whether there are answers that the submission on disk does not have, and when that was written. */
  readonly unwritten: boolean;
  readonly lastWrite: number;
}

export type EndReason = 'done' | 'given up' | 'deadline' | 'stopped';

/** What happens. */
export type Event =
  | { readonly type: 'reply'; readonly process: number; readonly reply: Reply }
  | { readonly type: 'died'; readonly process: number; readonly message: string }
  /** The newest checkpoint of a group whose fine-tuning failed; null where there is none. */
  | { readonly type: 'checkpoint'; readonly group: number; readonly adapter: string | null }
  /** Time has passed. */
  | { readonly type: 'tick' }
  /** Somebody wants it to end. */
  | { readonly type: 'stop'; readonly message: string };

/** What a process is asked for. */
export type Work =
  | { readonly type: 'fine-tune'; readonly group: number; readonly seconds: number }
  | { readonly type: 'load'; readonly adapterPath: string | null }
  | { readonly type: 'adapt'; readonly taskId: string; readonly seconds: number; readonly keep: boolean }
  | { readonly type: 'predict'; readonly items: readonly PlannedItem[]; readonly seconds: number };

/** What is to be done, one after the other. */
export type Action =
  | { readonly type: 'start'; readonly process: number; readonly slot: WorkerSlot }
  | { readonly type: 'assign'; readonly process: number; readonly work: Work }
  | { readonly type: 'kill'; readonly process: number; readonly reason: string }
  /** To be answered with an event `checkpoint`. */
  | { readonly type: 'find-checkpoint'; readonly group: number }
  /** An answer is there; null where the prompt is too long for one. */
  | { readonly type: 'keep'; readonly item: PlannedItem; readonly answer: Answer | null }
  /** The adapter that fine-tuning gave a group; null where it gave none. */
  | { readonly type: 'tuned'; readonly group: number; readonly adapter: string | null }
  | { readonly type: 'fail'; readonly failure: Omit<SubmitFailure, 'count'> }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'step'; readonly group: number; readonly reply: Extract<Reply, { type: 'step' }> }
  /** One more item is done, with an answer or without. */
  | { readonly type: 'progress' }
  /** To be done regularly; there may be new answers since the last time. */
  | { readonly type: 'write'; readonly hasAnswers: boolean }
  | { readonly type: 'finish' };

/** What an earlier part of the same submission has done. */
export interface Before {
  readonly finished: ReadonlySet<Chunk>;
  /** Groups that have been fine-tuned, with their adapters; null where there is none. */
  readonly tuned: ReadonlyMap<number, string | null>;
  readonly answers: readonly { readonly item: Item; readonly answer: Answer | null }[];
}

const nothing: Before = { finished: new Set(), tuned: new Map(), answers: [] };

/** The state before anything happens: a `tick` sets it going. */
export function initialState(
  plan: Plan,
  slots: readonly WorkerSlot[],
  policy: Policy,
  now: number,
  { finished, tuned, answers }: Before = nothing,
): State {
  const waiting = policy.tuningSeconds > 0 ? plan.groups.length - tuned.size : 0;
  const market = newMarket(plan.speeds);
  const kept = plan.chunks.some(({ taskId }) => taskId !== undefined) ? answers : [];
  return {
    ...market,
    votes: kept.reduce(
      (votes, { item, answer }) => (answer === null ? votes : withVotes(votes, item, answer)),
      market.votes,
    ),
    phase: waiting > 0 ? 'tune' : 'predict',
    policy,
    groups: plan.groups.map(({ taskIds, adapters }, group) => {
      const adapter = tuned.get(group) ?? null;
      return {
        taskIds,
        adapters: adapter === null ? adapters : [adapter, ...adapters],
        tuning: waiting > 0 && !tuned.has(group) ? 'waiting' : 'done',
        ...{ answers: 0, struck: [], loadDeaths: 0, adaptDeaths: {}, unadapted: [] },
      };
    }),
    queue: plan.chunks.filter((chunk) => !finished.has(chunk)),
    workers: slots.map((slot) => ({ slot, deaths: 0, process: null })),
    total: plan.items,
    done: [...finished].reduce((sum, { items }) => sum + items.length, 0),
    tuningShare: policy.tuningSeconds / Math.max(1, Math.ceil(waiting / slots.length)),
    ...{ started: 0, doneCost: 0, predictingSince: now, unwritten: false, lastWrite: now },
  };
}

/** When a process is ended if nothing is heard of it, and why. */
export function limitOf(
  { activity, heard }: Process,
  { stallTimeout }: Policy,
): { at: number; reason: string } {
  if (activity.type === 'idle') return { at: Number.POSITIVE_INFINITY, reason: '' };
  const tuning = 'tuning' in activity ? activity.tuning : undefined;
  const stall = heard + stallTimeout;
  if (activity.type === 'adapt' && activity.until < stall) {
    return { at: activity.until, reason: 'the fine-tuning on a task did not end in its time' };
  }
  if (tuning !== undefined && tuning.until < stall) {
    return { at: tuning.until, reason: `it had not ended ${Math.round(tuning.limit)} s after its start` };
  }
  return { at: stall, reason: `the process gave no sign of life for ${stallTimeout} s and was ended` };
}

/** When the state wants a `tick`, if nothing happens until then. */
export function wakeTime({ phase, policy, workers, lastWrite }: State): number {
  if (phase === 'ended') return Number.POSITIVE_INFINITY;
  const limits = workers.flatMap(({ process }) => (process ? [limitOf(process, policy).at] : []));
  return Math.min(policy.deadline, lastWrite + policy.writeInterval, ...limits);
}
