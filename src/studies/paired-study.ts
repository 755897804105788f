/** Two sets of runs on the same tasks: what they differ by, and how much of it may be luck. */
import { datasetOf, type OrTasks, requireSolutions, singleTasks } from '../arc/dataset.js';
import { EvaluationError } from '../evaluation/errors.js';
import { type ResultData, resultsOf } from '../evaluation/files.js';
import { type PairedMetric, pairedMetrics, taskMetrics } from '../evaluation/paired.js';
import { pairedStudyOptions } from '../options/evaluation.js';
import { splitValues } from '../options/in-place.js';
import type { OptionsOf } from '../options/table.js';

/** Options of {@link pairedStudy}: result files, or what they hold. */
export type PairedStudyOptions = Omit<
  OrTasks<OptionsOf<typeof pairedStudyOptions.table>>,
  'first' | 'second'
> &
  Record<'first' | 'second', readonly ResultData[]>;

/** What two sets of runs come to. */
export interface PairedStudy {
  /** Tasks that at least one run has answers to; others are left out. */
  readonly tasks: number;
  readonly runs: readonly [first: number, second: number];
  readonly metrics: readonly PairedMetric[];
}

/**
 * Compares two sets of runs, such as the seeds of two methods, by a bootstrap over tasks and seeds.
 * @throws {UserError} when a file is broken or about other tasks, solutions are missing, or a metric is not known
 */
export function pairedStudy({ first, second, ...options }: PairedStudyOptions): PairedStudy {
  const { given, values } = splitValues(options, { datasetPath: 'tasks' });
  const names = (side: readonly ResultData[] | undefined) =>
    Array.isArray(side) ? side.map((data) => (typeof data === 'string' ? data : 'the results')) : side;
  const all = { ...given, first: names(first), second: names(second) };
  const { datasetPath, metrics, level, repeats, seed } = pairedStudyOptions.check(all);
  const dataset = datasetOf(values.datasetPath ?? datasetPath);
  const tasks = singleTasks(dataset, datasetPath);
  requireSolutions(dataset, datasetPath);
  const [a, b] = [first, second].map((side) => side.map((data) => resultsOf(data)));
  const answered = new Set([...a!, ...b!].flatMap(({ answers }) => [...answers.keys()]));
  const compared = new Map([...tasks].filter(([id]) => answered.has(id)));
  if (compared.size === 0) throw new EvaluationError(`no run has an answer to any task of ${datasetPath}`);
  const measured = [a!, b!].map((side) => side.map((results) => taskMetrics(results, compared)));
  return {
    tasks: compared.size,
    runs: [first.length, second.length],
    metrics: pairedMetrics(measured[0]!, measured[1]!, {
      ...(metrics ? { metrics } : {}),
      level,
      repeats,
      seed,
    }),
  };
}
