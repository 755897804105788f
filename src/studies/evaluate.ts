/** How good predictions are: results against the solutions of their data set. */
import { datasetOf, requireSolutions, singleTasks, type TaskData } from '../arc/dataset.js';
import { Rng } from '../common/rng.js';
import { EvaluationError } from '../evaluation/errors.js';
import { type ResultData, type Results, resultsOf } from '../evaluation/files.js';
import { computeMetrics, type Evaluation } from '../evaluation/metrics.js';
import {
  type AttemptRow,
  accuracyPerAttempt,
  type ComparisonRow,
  comparisonTable,
  effectOfOutputSize,
  effectOfPredictionCount,
  type OutputSizeRow,
  type PredictionCountRow,
} from '../evaluation/studies.js';
import type { TaskSet } from '../evaluation/types.js';
import { voteMetrics } from '../evaluation/voting.js';
import { evaluateOptions, studyOptions } from '../options/evaluation.js';
import { type OrValues, splitValues } from '../options/in-place.js';
import type { OptionsOf } from '../options/table.js';

type Files = 'inferencePath' | 'datasetPath';
type FilesOrValues<O extends Record<Files, string>> = OrValues<
  O,
  Files,
  { tasks: TaskData; predictions: ResultData }
>;

/** Options of {@link evaluate}. */
export type EvaluateOptions = FilesOrValues<OptionsOf<typeof evaluateOptions.table>>;

/** Metrics of results. */
export interface EvaluateResult {
  readonly source: string;
  readonly evaluation: Evaluation;
  /** `{vote_1, vote_2}`; only a detailed list can be voted on. */
  readonly votes?: Record<string, number>;
  /** Tasks of the data set without results; they count as unanswered. */
  readonly missingTasks: readonly string[];
}

/** Options of {@link studyPredictions}. */
export type StudyOptions = FilesOrValues<OptionsOf<typeof studyOptions.table>>;

/** What predictions show beyond the plain metrics. */
export interface Study {
  /** Empty without the detailed list. */
  readonly predictionCount: readonly PredictionCountRow[];
  readonly outputSize: readonly OutputSizeRow[];
  readonly perAttempt: readonly AttemptRow[];
}

/** Checks options, and loads what is in files. */
function load<O extends Record<Files, string>>(
  options: EvaluateOptions | StudyOptions,
  check: (given: object) => O,
): { o: O; results: Results; tasks: TaskSet } {
  const { given, values } = splitValues(options, { datasetPath: 'tasks', inferencePath: 'predictions' });
  const o = check(given);
  const dataset = datasetOf(values.datasetPath ?? o.datasetPath);
  const tasks = singleTasks(dataset, o.datasetPath);
  requireSolutions(dataset, o.datasetPath);
  return { o, results: resultsOf(values.inferencePath ?? o.inferencePath), tasks };
}

/**
 * Computes the metrics of a result file, or of predictions that are given.
 * @throws {UserError} when a file is broken, solutions are missing, or the results are about other tasks
 */
export function evaluate(options: EvaluateOptions): EvaluateResult {
  const { o, results, tasks } = load(options, evaluateOptions.check);
  const { source, answers, predictions } = results;
  const missingTasks = [...tasks.keys()].filter((taskId) => !answers.has(taskId));
  if (missingTasks.length === tasks.size) {
    throw new EvaluationError(
      `${source}: has no answers to any of the ${tasks.size} tasks of ${o.datasetPath}`,
    );
  }
  return {
    source,
    evaluation: computeMetrics(answers, tasks, source),
    ...(predictions === undefined ? {} : { votes: voteMetrics(predictions, tasks) }),
    missingTasks,
  };
}

/**
 * Studies what the number of predictions, the size of the output and the place of an attempt change.
 * @throws {UserError} as {@link evaluate}
 */
export function studyPredictions(options: StudyOptions): Study {
  const { o, results, tasks } = load(options, studyOptions.check);
  const { answers, predictions, source } = results;
  computeMetrics(answers, tasks, source);
  return {
    predictionCount:
      predictions === undefined
        ? []
        : effectOfPredictionCount(predictions, tasks, {
            rng: Rng.of(o.seed, 'study'),
            repeats: o.repeats,
          }),
    outputSize: effectOfOutputSize(answers, tasks),
    perAttempt: accuracyPerAttempt(answers, tasks),
  };
}

/**
 * The metrics of several results as a table, with intervals of how they differ from the first.
 * @throws {UserError} as {@link evaluate}
 */
export function compareEvaluations({
  tasks,
  results,
}: {
  tasks: TaskData;
  results: readonly ResultData[];
}): ComparisonRow[] {
  const dataset = datasetOf(tasks);
  const name = typeof tasks === 'string' ? tasks : 'the tasks';
  requireSolutions(dataset, name);
  return comparisonTable(
    results.map((data) => resultsOf(data)),
    singleTasks(dataset, name),
  );
}
