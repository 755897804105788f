/** What differs between runs: their options, their results, and how much of the difference may be luck. */
import { loadDataset, requireSolutions, singleTasks } from '../arc/dataset.js';
import { EvaluationError } from '../evaluation/errors.js';
import { loadResults } from '../evaluation/files.js';
import { formatDifference, type PairedDifference, pairedDifference } from '../evaluation/intervals.js';
import { type PairedMetric, taskMetrics } from '../evaluation/paired.js';
import { type FoundRun, fileOf } from '../records/find.js';
import { differingOptions, type RunValues, trainingOf } from '../records/values.js';
import { pairedStudy } from './paired-study.js';

/** How one run differs from the first of those that are compared, on the tasks that both have answers to. */
export interface PairedRuns {
  readonly first: string;
  readonly second: string;
  /** Empty where there are no predictions of the same tasks to compare. */
  readonly metrics: readonly PairedMetric[];
  /** Why there is no interval. */
  readonly reason?: string;
}

/** Several runs side by side. */
export interface ExperimentComparison {
  readonly ids: readonly string[];
  /** One for each option that differs: `option`, and the value of each run by its id, of copies by their places. */
  readonly options: readonly Readonly<Record<string, string | number | boolean | undefined>>[];
  /** One for each result: `result`, and the number of each run. */
  readonly results: readonly Readonly<Record<string, string | number | boolean | undefined>>[];
  readonly pairs: readonly PairedRuns[];
}

/** The evaluation of a run: itself where it has predictions, else the newest of what it trained. */
function evaluationOf(of: RunValues, all: readonly RunValues[]): RunValues | undefined {
  const hasPredictions = ({ run }: RunValues) => predictionsOf(run) !== undefined;
  if (hasPredictions(of)) return of;
  const { id } = of.run.record;
  const runs = all.map(({ run }) => run);
  return all.findLast(
    (values) =>
      values.run.record.trainedBy === id && hasPredictions(values) && trainingOf(values.run, runs) === of.run,
  );
}

/** The detailed list of a run, else its attempts; undefined where it has neither. */
export const predictionsOf = (run: FoundRun): string | undefined =>
  fileOf(run, 'details') ?? fileOf(run, 'predictions');

/** The solved tasks that a run was measured on. */
function datasetOf({ run, options }: RunValues): string | undefined {
  const path = fileOf(run, 'dataset') ?? options.get('datasetPath');
  return typeof path === 'string' ? path : undefined;
}

interface CompareOptions {
  readonly metrics?: readonly string[] | undefined;
  readonly seed?: number | undefined;
}

function pairOf(
  [a, b]: readonly [RunValues, RunValues],
  all: readonly RunValues[],
  { metrics, seed }: CompareOptions,
  nameOf: (of: RunValues) => string,
): PairedRuns {
  const ids = { first: nameOf(a), second: nameOf(b) };
  const [x, y] = [evaluationOf(a, all), evaluationOf(b, all)];
  if (x === undefined || y === undefined) {
    const without = x === undefined ? ids.first : ids.second;
    return { ...ids, metrics: [], reason: `${without} has no predictions` };
  }
  const [dataset, other] = [datasetOf(x), datasetOf(y)];
  const [digest, otherDigest] = [x, y].map(({ run }) => run.record.data.dataset);
  const [first, second] = [x.options.get('nTasks'), y.options.get('nTasks')];
  // the digest of so many tasks of a file: it differs where the file was changed between two runs
  const isKnown = digest !== undefined && otherDigest !== undefined && first === second;
  const isSame = (digest !== undefined && digest === otherDigest) || (!isKnown && dataset === other);
  if (dataset === undefined || other === undefined || !isSame) {
    return { ...ids, metrics: [], reason: 'they were measured on different tasks' };
  }
  const study = pairedStudy({
    first: [predictionsOf(x.run)!],
    second: [predictionsOf(y.run)!],
    datasetPath: dataset,
    metrics,
    seed,
  });
  return { ...ids, metrics: study.metrics };
}

/**
 * Compares runs with the first of them.
 * @param all the runs among which the evaluations of trainings are looked for
 * @throws {UserError} when predictions are broken, or a metric is not known
 */
export function compareExperiments(
  compared: readonly RunValues[],
  all: readonly RunValues[],
  options: CompareOptions = {},
): ExperimentComparison {
  const [first, ...others] = compared as [RunValues, ...RunValues[]];
  const measured = compared.map((of) => evaluationOf(of, all) ?? of);
  const results = [...new Set([...compared, ...measured].flatMap((of) => [...of.results.keys()]))];
  // copies of a run have one id
  const isCopied = new Set(compared.map(({ run }) => run.record.id)).size < new Set(compared).size;
  const nameOf = ({ run, facts }: RunValues) => (isCopied ? String(facts.get('run')) : run.record.id);
  const row = (of: (i: number) => string | number | boolean | undefined) =>
    Object.fromEntries(compared.map((values, i) => [nameOf(values), of(i)]));
  return {
    ids: compared.map(nameOf),
    options: differingOptions(compared).map((option) => ({
      option,
      ...row((i) => compared[i]!.options.get(option)),
    })),
    results: results.map((result) => ({
      result,
      ...row((i) => compared[i]!.results.get(result) ?? measured[i]!.results.get(result)),
    })),
    pairs: others.map((other) => pairOf([first, other], all, options, nameOf)),
  };
}

/** Rows of a table: how each metric of each run differs from the first, in points with its interval. */
export function comparisonRows({ pairs }: ExperimentComparison): Record<string, string>[] {
  return pairs.map(({ second, metrics, reason }) => ({
    run: second,
    ...Object.fromEntries(metrics.map(({ metric, difference }) => [metric, formatDifference(difference)])),
    ...(reason === undefined ? {} : { note: reason }),
  }));
}

/**
 * A metric of one run with an interval over its tasks: what other tasks of the same kind would change, not other seeds.
 * @throws {UserError} when the run has no predictions of solved tasks, or not this metric
 */
export function metricOf(
  of: RunValues,
  metric: string,
  { level = 0.95, seed = 0 }: { level?: number; seed?: number } = {},
): PairedDifference {
  const [predictions, dataset] = [predictionsOf(of.run), datasetOf(of)];
  const { id } = of.run.record;
  if (predictions === undefined || dataset === undefined) {
    throw new EvaluationError(`run ${id} has no predictions of solved tasks, so that there is no interval`);
  }
  const loaded = loadDataset(dataset);
  requireSolutions(loaded, dataset);
  const results = loadResults(predictions);
  const tasks = new Map([...singleTasks(loaded, dataset)].filter(([taskId]) => results.answers.has(taskId)));
  const perTask = [...taskMetrics(results, tasks).values()];
  const known = Object.keys(perTask[0] ?? {});
  if (!known.includes(metric)) {
    throw new EvaluationError(`run ${id}: no metric "${metric}"; known: ${known.join(', ')}`);
  }
  const values = perTask.map((metrics) => metrics[metric]!);
  return pairedDifference(
    values,
    values.map(() => 0),
    { level, seed },
  );
}
