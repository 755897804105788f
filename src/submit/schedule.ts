/**
 * @file What work is predicted to cost, and what is worth most: pure functions of the state of a submission in which
 * each task is asked by itself. Costs are tokens times speeds, and what was measured so far corrects the speeds.
 */
import { gridKey } from '../arc/grid.js';
import { type Speeds, secondsAt } from './costs.js';
import type { Chunk, PlannedItem } from './plan.js';
import type { Policy } from './policy.js';
import { type Answer, type Item, inputKey } from './protocol.js';

/** What was predicted and what it took, both in seconds, over all work of a kind. */
export interface Measured {
  readonly predicted: number;
  readonly seconds: number;
}

/** Votes for a test input: how many predictions there are, and how many of them are each grid. */
export interface Votes {
  readonly predictions: number;
  readonly grids: Readonly<Record<string, number>>;
  /** The log-probability of the likeliest grid. */
  readonly likeliest: number;
}

const noVotes: Votes = { predictions: 0, grids: {}, likeliest: Number.NEGATIVE_INFINITY };

/** The part of a submission's state that costs and values depend on. */
export interface Market {
  readonly speeds: Speeds;
  readonly measured: { readonly tune: Measured; readonly predict: Measured };
  /** Seconds that processes have spent on each task. */
  readonly spent: Readonly<Record<string, number>>;
  /** By {@link inputKey}. */
  readonly votes: Readonly<Record<string, Votes>>;
}

/** The state of a submission that has done nothing. */
export const newMarket = (speeds: Speeds): Market => ({
  speeds,
  measured: { tune: { predicted: 0, seconds: 0 }, predict: { predicted: 0, seconds: 0 } },
  spent: {},
  votes: {},
});

/** By how much work takes longer than predicted. */
const factor = ({ predicted, seconds }: Measured): number =>
  predicted > 0 && seconds > 0 ? seconds / predicted : 1;

/** Seconds that a chunk of one task is predicted to take, by what was measured. */
export function predictedSeconds({ speeds, measured }: Market, { tokens }: Pick<Chunk, 'tokens'>) {
  const { tune, predict } = secondsAt(tokens, speeds);
  return { tune: tune * factor(measured.tune), predict: predict * factor(measured.predict) };
}

/** Takes note of how long work took. @param part the part of it that was done */
export function measure(
  { speeds, measured }: Market,
  kind: 'tune' | 'predict',
  { tokens }: Pick<Chunk, 'tokens'>,
  part: number,
  seconds: number,
): Market['measured'] {
  const { predicted, seconds: before } = measured[kind];
  const more = part * secondsAt(tokens, speeds)[kind];
  return { ...measured, [kind]: { predicted: predicted + more, seconds: before + seconds } };
}

/** Takes note of an answer; what is no grid is one that nothing is voted for with. */
export function withVotes(votes: Market['votes'], item: Item, { predictions }: Answer): Market['votes'] {
  const key = inputKey(item);
  const known = votes[key] ?? noVotes;
  const grids = { ...known.grids };
  let { likeliest } = known;
  for (const { grid, logProb } of predictions) {
    if (grid === null) continue;
    grids[gridKey(grid)] = (grids[gridKey(grid)] ?? 0) + 1;
    likeliest = Math.max(likeliest, logProb);
  }
  return { ...votes, [key]: { predictions: known.predictions + predictions.length, grids, likeliest } };
}

/** The part of the votes for a test input that its best candidate has; 0 without any. */
export function bestShare(votes: Market['votes'], item: Item): number {
  const { predictions, grids } = votes[inputKey(item)] ?? noVotes;
  return predictions === 0 ? 0 : Math.max(0, ...Object.values(grids)) / predictions;
}

/** How settled a test input is. One prediction has all of the votes, and only its probability says how sure it is. */
function settled(votes: Market['votes'], item: PlannedItem): number {
  if (item.views === undefined) return bestShare(votes, item);
  const { likeliest } = votes[inputKey(item)] ?? noVotes;
  return Math.min(bestShare(votes, item), Math.exp(likeliest));
}

/**
 * What a later turn of a task is worth for each second: the votes of its test inputs that are not for the best
 * candidate, less with every turn, because more of the same answers settle less. What a search may find is the
 * probability that the likeliest answer leaves.
 */
export function worthOf(market: Market, chunk: Chunk): number {
  const inputs = new Map(chunk.items.map((item) => [inputKey(item), item]));
  const open = [...inputs.values()].reduce((sum, item) => sum + 1 - settled(market.votes, item), 0);
  return open / (chunk.turn * predictedSeconds(market, chunk).predict);
}

/** When work has to be given up, as the time for it depends on. */
export interface TimeLeft extends Pick<Policy, 'tuningShare' | 'taskTimeLimit'> {
  /** Until the deadline; Infinity without one. */
  readonly seconds: number;
  /** Processes that share it. */
  readonly processes: number;
}

/**
 * Seconds that the fine-tuning of a task may take: an equal share of the time that all tasks which wait for theirs have
 * together. Cheap tasks come first, and what they do not need is left to the others: so as many tasks as can be take
 * all of their steps.
 */
export function tuningLimit(
  { spent }: Market,
  chunk: Chunk,
  waiting: readonly Chunk[],
  left: TimeLeft,
): number {
  const tasks = 1 + waiting.filter(({ turn }) => turn === 0).length;
  // the last tasks cannot use the time of the other processes
  const share = left.seconds * left.tuningShare * Math.min(1, left.processes / tasks);
  return Math.max(0, Math.min(share, left.taskTimeLimit - (spent[chunk.taskId!] ?? 0)));
}
