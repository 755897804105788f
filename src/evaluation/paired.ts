/** @file Sets of runs side by side: what each metric is on average, and how much of the difference may be luck. */
import { EvaluationError } from './errors.js';
import type { Results } from './files.js';
import { formatDifference, type PairedDifference, pairedDifference } from './intervals.js';
import { computeMetrics, mean, solvedPerTask } from './metrics.js';
import { formatSpread, type Spread, spreadOf } from './spread.js';
import type { TaskSet } from './types.js';
import { vote } from './voting.js';

/** The metrics of each task of one run, as fractions, by task id and metric. */
export type TaskMetrics = ReadonlyMap<string, Readonly<Record<string, number>>>;

/** The metrics that two sets of runs are compared in, where nothing else is asked for. */
export const PAIRED_METRICS = ['accuracy', 'pass_n', 'vote_1', 'vote_2'] as const;

/** How many resamples tables are made of. */
const TABLE_REPEATS = 2000;

/**
 * What a run scored on each task: the metrics of `computeMetrics`, and `vote_1` and `vote_2` where there are
 * predictions.
 * @throws {EvaluationError} when results and data set do not fit
 */
export function taskMetrics({ answers, predictions, source }: Results, dataset: TaskSet): TaskMetrics {
  const { perTask } = computeMetrics(answers, dataset, source);
  if (predictions === undefined) return perTask;
  const voted = vote(predictions);
  const [first, both] = [1, 2].map((n) => solvedPerTask(voted, dataset, n, source));
  return new Map(
    [...perTask].map(([taskId, metrics], i) => [
      taskId,
      { ...metrics, vote_1: first![i]!, vote_2: both![i]! },
    ]),
  );
}

/** One metric of two sets of runs. */
export interface PairedMetric {
  readonly metric: string;
  /** Mean over runs and tasks, and standard deviation over runs. */
  readonly first: Spread;
  readonly second: Spread;
  /** The second minus the first, over tasks and runs. */
  readonly difference: PairedDifference;
  /** Whether the interval of the difference leaves zero out. */
  readonly isFound: boolean;
}

/** Options of {@link pairedMetrics}. */
export interface PairedMetricsOptions {
  /** Default: {@link PAIRED_METRICS}, those that all runs have. */
  readonly metrics?: readonly string[];
  readonly seed?: number;
  readonly repeats?: number;
  readonly level?: number;
}

/**
 * Compares two sets of runs on the same tasks, metric by metric.
 * @throws {EvaluationError} when a set is empty, runs are about other tasks, or a metric that is asked for is missing
 */
export function pairedMetrics(
  first: readonly TaskMetrics[],
  second: readonly TaskMetrics[],
  { metrics, ...options }: PairedMetricsOptions = {},
): PairedMetric[] {
  const runs = [...first, ...second];
  const taskIds = [...(runs[0]?.keys() ?? [])];
  if (first.length === 0 || second.length === 0 || taskIds.length === 0) {
    throw new EvaluationError('expected at least one run with tasks on each side of a comparison');
  }
  const other = runs.find((run) => run.size !== taskIds.length || taskIds.some((id) => !run.has(id)));
  if (other) {
    throw new EvaluationError(
      `expected the same tasks in all runs: found ${taskIds.length} in the first run, and ${other.size} or others in another`,
    );
  }
  const known = Object.keys(runs[0]!.get(taskIds[0]!)!);
  const has = (name: string) => runs.every((run) => run.get(taskIds[0]!)![name] !== undefined);
  const missing = metrics?.find((name) => !has(name));
  if (missing !== undefined) {
    throw new EvaluationError(
      `metric "${missing}": not all runs have it; known: ${known.filter(has).join(', ')} (votes need ..._task_results.json)`,
    );
  }
  return (metrics ?? PAIRED_METRICS.filter(has)).map((metric) => {
    const values = (side: readonly TaskMetrics[]) =>
      side.map((run) => taskIds.map((id) => run.get(id)![metric]!));
    const [a, b] = [values(first), values(second)];
    const difference = pairedDifference(b, a, options);
    return {
      metric,
      first: spreadOf(a.map(mean)),
      second: spreadOf(b.map(mean)),
      difference,
      isFound: difference.low > 0 || difference.high < 0,
    };
  });
}

/**
 * Rows of a table: each metric in percent, with its spread over runs where they differ, and the difference in points
 * with its interval.
 */
export function pairedRows(
  metrics: readonly PairedMetric[],
  { first = 'first', second = 'second' }: { first?: string; second?: string } = {},
): Record<string, string>[] {
  return metrics.map((row) => ({
    metric: row.metric,
    [first]: formatSide(row.first),
    [second]: formatSide(row.second),
    [`difference [${Math.round(100 * row.difference.level)}%]`]: formatDifference(row.difference),
    found: row.isFound ? 'yes' : 'no',
  }));
}

const formatSide = (spread: Spread): string =>
  spread.std === 0 ? (100 * spread.mean).toFixed(1) : formatSpread(spread);

/**
 * For tables that compare: how a metric of each set of runs differs from the first set, in points with a 95 % interval;
 * empty for the first.
 * @param sets sets of runs on the same tasks
 */
export function changesFromFirst(sets: readonly (readonly TaskMetrics[])[], metric: string): string[] {
  return sets.map((set, i) => {
    if (i === 0) return '';
    const [row] = pairedMetrics(sets[0]!, set, { metrics: [metric], repeats: TABLE_REPEATS });
    return formatDifference(row!.difference);
  });
}
