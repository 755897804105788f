/** Intervals of differences: how much of what two methods or two sets of runs differ by may be luck. */
import { Rng } from '../common/rng.js';
import { EvaluationError } from './errors.js';
import { mean } from './metrics.js';

/** What one run scored on each task (such as 0 or 1 for solved), in an order that all runs that are compared share. */
export type TaskValues = readonly number[];

/** Options of {@link pairedDifference}. */
export interface PairedDifferenceOptions {
  /** Names the random stream of the resampling. */
  seed?: number;
  /** How often tasks (and runs) are drawn again (default 10,000). */
  repeats?: number;
  /** The share of the drawn differences that lie inside the interval (default 0.95). */
  level?: number;
  /**
   * `shared` (default): every run has the same tasks, as when a data set is predicted with several seeds. `per-run`:
   * the i-th runs of both sides have tasks of their own, as when the seed draws the tasks too.
   */
  tasks?: 'shared' | 'per-run';
}

/** A difference of two means with its bootstrap interval. */
export interface PairedDifference {
  /** Mean of a minus mean of b, over runs and tasks. */
  readonly difference: number;
  /** Ends of the interval: percentiles of the drawn differences. */
  readonly low: number;
  readonly high: number;
  readonly level: number;
}

/**
 * How much better a is than b on the same tasks, with an interval from a paired bootstrap (Efron, percentile method):
 * tasks are drawn with replacement, the same for both sides, so that how hard they are cancels out. With several runs
 * on a side, what they differ by beyond their answers to single tasks is estimated (two-way analysis of variance) and
 * drawn too, from Student's t distribution: the i-th runs of both sides are a pair where both have equally many. To
 * draw runs as well as tasks with replacement would count the chance in single answers up to three times. One run on
 * each side says nothing about other seeds; the interval is then that of the tasks alone.
 * @param a one run, or one for each seed
 * @throws {EvaluationError} when there is nothing to compare, or both sides do not have the same number of tasks
 */
export function pairedDifference(
  a: TaskValues | readonly TaskValues[],
  b: TaskValues | readonly TaskValues[],
  { seed = 0, repeats = 10_000, level = 0.95, tasks = 'shared' }: PairedDifferenceOptions = {},
): PairedDifference {
  if (!(level > 0 && level < 1)) throw new EvaluationError(`expected a level between 0 and 1, got ${level}`);
  const sides = [runsOf(a), runsOf(b)] as const;
  assertPaired(sides, tasks);
  const rng = Rng.of(seed, 'paired-difference');
  const draw = tasks === 'shared' ? sharedTasks(sides) : tasksPerRun(sides);
  const drawn = Float64Array.from({ length: repeats }, () => draw(rng)).sort();
  const [meanA, meanB] = sides.map((runs) => mean(runs.map(mean))) as [number, number];
  return {
    difference: meanA - meanB,
    low: quantile(drawn, (1 - level) / 2),
    high: quantile(drawn, (1 + level) / 2),
    level,
  };
}

/** `+3.1 [0.4, 5.8]`: differences times `scale` (default 100, for points of percent). */
export function formatDifference(
  { difference, low, high }: PairedDifference,
  { scale = 100, decimals = 1 }: { scale?: number; decimals?: number } = {},
): string {
  const [center, from, to] = [difference, low, high].map((value) =>
    // no −0.0
    (Number((scale * value).toFixed(decimals)) + 0).toFixed(decimals),
  );
  return `${Number(center) > 0 ? '+' : ''}${center} [${from}, ${to}]`;
}

type Runs = readonly TaskValues[];

function runsOf(side: TaskValues | Runs): Runs {
  return side.length > 0 && typeof side[0] === 'number' ? [side as TaskValues] : (side as Runs);
}

function assertPaired([a, b]: readonly [Runs, Runs], tasks: 'shared' | 'per-run'): void {
  if (a.length === 0 || b.length === 0 || [...a, ...b].some(({ length }) => length === 0)) {
    throw new EvaluationError('expected runs with tasks on both sides of a comparison, found none');
  }
  const counts = (runs: Runs) => runs.map(({ length }) => length).join(', ');
  const fits =
    tasks === 'shared'
      ? [...a, ...b].every(({ length }) => length === a[0]!.length)
      : a.length === b.length && a.every(({ length }, i) => length === b[i]!.length);
  if (fits) return;
  throw new EvaluationError(
    'both sides of a paired comparison need the same tasks' +
      `${tasks === 'shared' ? ' in all runs' : ' run by run'}: found ${counts(a)} and ${counts(b)} tasks`,
  );
}

/** Draws the same tasks for all runs, and adds how far few runs lie from what many would give. */
function sharedTasks([a, b]: readonly [Runs, Runs]): (rng: Rng) => number {
  const side = (runs: Runs) => a[0]!.map((_, task) => mean(runs.map((run) => run[task]!)));
  const perTask = differences(side(a), side(b));
  // equally many runs are pairs, which may share what their seed decides
  const parts = a.length === b.length ? [a.map((run, i) => differences(run, b[i]!))] : [a, b];
  const errors = parts.map((runs) => runError(runs.map(mean), residualVariance(runs) / perTask.length));
  return (rng) => resampledMean(rng, perTask) + sum(errors.map((error) => drawError(rng, error)));
}

/** Draws for each run tasks of its own, and adds how far few runs lie from what many would give. */
function tasksPerRun([a, b]: readonly [Runs, Runs]): (rng: Rng) => number {
  const runs = a.map((run, i) => differences(run, b[i]!));
  const error = runError(runs.map(mean), mean(runs.map((run) => variance(run, mean(run)) / run.length)));
  return (rng) => mean(runs.map((run) => resampledMean(rng, run))) + drawError(rng, error);
}

const differences = (a: TaskValues, b: TaskValues): number[] => a.map((value, i) => value - b[i]!);

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const variance = (values: TaskValues, center: number, free = values.length): number =>
  sum(values.map((value) => (value - center) ** 2)) / free;

function resampledMean(rng: Rng, values: TaskValues): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[rng.int(0, values.length - 1)]!;
  return total / values.length;
}

/** What the effects of runs and of tasks leave over, as in a two-way analysis of variance. */
function residualVariance(runs: Runs): number {
  const [runCount, taskCount] = [runs.length, runs[0]!.length];
  if (runCount < 2 || taskCount < 2) return 0;
  const runMeans = runs.map(mean);
  const center = mean(runMeans);
  const taskMeans = runs[0]!.map((_, task) => mean(runs.map((run) => run[task]!)));
  const squares = runs.map((run, r) =>
    sum(run.map((value, task) => (value - taskMeans[task]! - runMeans[r]! + center) ** 2)),
  );
  return sum(squares) / ((runCount - 1) * (taskCount - 1));
}

/** How far the mean of some runs lies from that of all runs with other seeds. */
interface RunError {
  /** The standard error. */
  readonly size: number;
  readonly freedom: number;
}

/**
 * What runs differ by beyond what their tasks explain: the tasks are drawn as they are, so that part is counted there.
 * @param noise the variance that the mean of a run has because its tasks are few
 */
function runError(means: readonly number[], noise: number): RunError {
  const freedom = means.length - 1;
  if (freedom === 0) return { size: 0, freedom };
  const between = Math.max(0, variance(means, mean(means), freedom) - noise);
  return { size: Math.sqrt(between / means.length), freedom };
}

/** A draw from Student's t distribution of that size: few runs say little about how much runs differ. */
function drawError(rng: Rng, { size, freedom }: RunError): number {
  if (size === 0) return 0;
  const chiSquare = sum(Array.from({ length: freedom }, () => rng.normal() ** 2));
  return (size * rng.normal()) / Math.sqrt(chiSquare / freedom);
}

/** The value below which a share of sorted values lies, between two of them where it falls between. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below]!;
  return low + (place - below) * ((sorted[below + 1] ?? low) - low);
}
