/** How good predictions are: a result file against the solutions of its data set. */
import { loadDataset, requireSolutions, singleTasks } from '../arc/dataset.js';
import { Rng } from '../common/rng.js';
import { EvaluationError } from '../evaluation/errors.js';
import { loadResults, type Results } from '../evaluation/files.js';
import { computeMetrics, type Evaluation } from '../evaluation/metrics.js';
import {
  type AttemptRow,
  accuracyPerAttempt,
  effectOfOutputSize,
  effectOfPredictionCount,
  type OutputSizeRow,
  type PredictionCountRow,
} from '../evaluation/studies.js';
import type { TaskSet } from '../evaluation/types.js';
import { voteMetrics } from '../evaluation/voting.js';

/** Options of {@link evaluate}. */
export interface EvaluateOptions {
  /** `inference.json`, a submission, or `inference_task_results.json`. */
  inferenceFilepath: string;
  /** ARC tasks with solutions. */
  datasetPath: string;
}

/** What a result file is worth. */
export interface EvaluateResult {
  readonly source: string;
  readonly evaluation: Evaluation;
  /** `{vote_1, vote_2}`; only a detailed list can be voted on. */
  readonly votes?: Record<string, number>;
  /** Tasks of the data set that the file says nothing about; they count as unanswered. */
  readonly missingTasks: readonly string[];
}

/** Options of {@link studyPredictions}. */
export interface StudyOptions extends EvaluateOptions {
  /** Of the resampling (default 0). */
  seed?: number;
  /** How many subsets are drawn for each number of predictions (default 16). */
  repeats?: number;
}

/** What the predictions of a file have in them beyond the plain metrics. */
export interface Study {
  /** Empty for a file without the detailed list. */
  readonly predictionCount: readonly PredictionCountRow[];
  readonly outputSize: readonly OutputSizeRow[];
  readonly perAttempt: readonly AttemptRow[];
}

function load({ inferenceFilepath, datasetPath }: EvaluateOptions): { results: Results; tasks: TaskSet } {
  const dataset = loadDataset(datasetPath);
  const tasks = singleTasks(dataset, datasetPath);
  requireSolutions(dataset, datasetPath);
  return { results: loadResults(inferenceFilepath), tasks };
}

/**
 * Computes the metrics of a result file.
 * @throws {UserError} when a file is broken, solutions are missing, or the file is about other tasks
 */
export function evaluate(options: EvaluateOptions): EvaluateResult {
  const { results, tasks } = load(options);
  const { source, answers, predictions } = results;
  const missingTasks = [...tasks.keys()].filter((taskId) => !answers.has(taskId));
  if (missingTasks.length === tasks.size) {
    throw new EvaluationError(
      `${source}: has no answers to any of the ${tasks.size} tasks of ${options.datasetPath}`,
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
export function studyPredictions({ seed = 0, repeats, ...options }: StudyOptions): Study {
  const { results, tasks } = load(options);
  const { answers, predictions, source } = results;
  computeMetrics(answers, tasks, source);
  return {
    predictionCount:
      predictions === undefined
        ? []
        : effectOfPredictionCount(predictions, tasks, {
            rng: Rng.of(seed, 'study'),
            ...(repeats === undefined ? {} : { repeats }),
          }),
    outputSize: effectOfOutputSize(answers, tasks),
    perAttempt: accuracyPerAttempt(answers, tasks),
  };
}
