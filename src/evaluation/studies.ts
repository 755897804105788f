import type { Rng } from '../common/rng.js';
import { answersOf, type Results } from './files.js';
import { scoreGrid } from './grids.js';
import {
  computeMetrics,
  type Evaluation,
  meanMetrics,
  meanOverTasks,
  metricsOfInput,
  scoredInputs,
} from './metrics.js';
import { changesFromFirst, taskMetrics } from './paired.js';
import type { SelectionRuleName } from './selection.js';
import { type Spread, spreadOf } from './spread.js';
import type { Answers, Prediction, TaskSet } from './types.js';
import { groupPredictions, isAmongFirst, rankCandidates, voteMetrics } from './voting.js';

/** What k predictions for each test input would have scored. */
export interface PredictionCountRow {
  readonly predictions: number;
  readonly pass_n: Spread;
  readonly vote_1: Spread;
  readonly vote_2: Spread;
}

/** 1, 2, 4, 8, … and n itself. */
function doublings(n: number): number[] {
  const counts: number[] = [];
  for (let k = 1; k < n; k *= 2) counts.push(k);
  return [...counts, n];
}

/** Options of {@link effectOfPredictionCount}. */
export interface PredictionCountOptions {
  /** Draws the subsets. */
  rng: Rng;
  /** The numbers of predictions (default 1, 2, 4, 8, … and all). */
  counts?: readonly number[];
  /** How many subsets of each size (default 16). */
  repeats?: number;
  method?: SelectionRuleName;
}

/**
 * The effect of the number of predictions: draws k of each test input's predictions without replacement,
 * `repeats` times, and reports mean and standard deviation of pass_n, vote_1 and vote_2.
 * @throws {EvaluationError} when predictions and data set do not fit.
 */
export function effectOfPredictionCount(
  predictions: readonly Prediction[],
  dataset: TaskSet,
  { rng, counts, repeats = 16, method }: PredictionCountOptions,
): PredictionCountRow[] {
  const groups = groupPredictions(predictions);
  const inputs = scoredInputs(answersOf(predictions), dataset).map(({ taskId, testIndex, solution }) => ({
    taskId,
    solution,
    ballots: groups.get(taskId)?.[testIndex] ?? [],
  }));
  const most = Math.max(1, ...inputs.map(({ ballots }) => ballots.length));
  return (counts ?? doublings(most)).map((k) => {
    // all of them is one subset only
    const runs = Array.from({ length: k >= most ? 1 : repeats }, () => {
      const ranked = inputs.map(({ taskId, solution, ballots }) => ({
        taskId,
        solution,
        // everything is kept in its order, which decides between equals
        candidates: rankCandidates(
          k >= ballots.length
            ? ballots
            : rng
                .sample([...ballots.keys()], k)
                .sort((a, b) => a - b)
                .map((i) => ballots[i]!),
          method,
        ),
      }));
      const solvedBy = (n: number) =>
        meanOverTasks(
          ranked.map(({ taskId, solution, candidates }) => ({
            taskId,
            value: Number(isAmongFirst(candidates, n, solution)),
          })),
        );
      return { pass: solvedBy(k), one: solvedBy(1), two: solvedBy(2) };
    });
    return {
      predictions: k,
      pass_n: spreadOf(runs.map((run) => run.pass)),
      vote_1: spreadOf(runs.map((run) => run.one)),
      vote_2: spreadOf(runs.map((run) => run.two)),
    };
  });
}

/** A range of output sizes and its metrics (means over the test inputs in it). */
export interface OutputSizeRow {
  /** Cells of the solution, such as `10-25`, or `26+` behind the last edge. */
  readonly cells: string;
  readonly testInputs: number;
  readonly metrics: ReturnType<typeof meanMetrics>;
}

/** The effect of the size of the output, in ranges of cells that end at `edges`; what is larger has a range of its own. */
export function effectOfOutputSize(
  answers: Answers,
  dataset: TaskSet,
  edges: readonly number[] = [9, 25, 64, 100, 225, 400, 900],
): OutputSizeRow[] {
  const inputs = scoredInputs(answers, dataset).map((input) => ({
    cells: input.solution.length * input.solution[0]!.length,
    metrics: metricsOfInput(input.attempts, input.solution),
  }));
  return [...edges, Infinity].flatMap((high, i) => {
    const low = (edges[i - 1] ?? 0) + 1;
    const inside = inputs.filter(({ cells }) => cells >= low && cells <= high);
    if (inside.length === 0) return [];
    return [
      {
        cells: high === Infinity ? `${low}+` : `${low}-${high}`,
        testInputs: inside.length,
        metrics: meanMetrics(inside.map((x) => x.metrics)),
      },
    ];
  });
}

/** What the i-th attempt of every test input scored. */
export interface AttemptRow {
  /** From 1. */
  readonly attempt: number;
  readonly accuracy: number;
  readonly correct_pixels: number;
  /** The fraction of tasks' test inputs solved by this attempt or an earlier one. */
  readonly solved_so_far: number;
}

/** Accuracy attempt by attempt; test inputs with fewer attempts count as wrong. */
export function accuracyPerAttempt(answers: Answers, dataset: TaskSet): AttemptRow[] {
  const inputs = scoredInputs(answers, dataset);
  const most = Math.max(0, ...inputs.map(({ attempts }) => attempts.length));
  const scores = inputs.map(({ taskId, solution, attempts }) => ({
    taskId,
    scores: attempts.map((grid) => scoreGrid(grid, solution)),
  }));
  return Array.from({ length: most }, (_, i) => ({
    attempt: i + 1,
    accuracy: meanOverTasks(
      scores.map(({ taskId, scores }) => ({ taskId, value: Number(scores[i]?.exact ?? false) })),
    ),
    correct_pixels: meanOverTasks(
      scores.map(({ taskId, scores }) => ({ taskId, value: scores[i]?.correctPixels ?? 0 })),
    ),
    solved_so_far: meanOverTasks(
      scores.map(({ taskId, scores }) => ({
        taskId,
        value: Number(scores.slice(0, i + 1).some((s) => s.exact)),
      })),
    ),
  }));
}

/** One result file in a comparison table: its metrics as fractions, with votes where it has predictions. */
export type ComparisonRow = { name: string; tasks: number } & Record<string, number | string>;

/**
 * The metrics of several results, one row each, and by how many points their `vote_2` (where all have predictions, else
 * their accuracy) differs from that of the first, with a 95 % interval over tasks.
 */
export function comparisonTable(results: readonly Results[], dataset: TaskSet): ComparisonRow[] {
  const metric = results.every(({ predictions }) => predictions) ? 'vote_2' : 'accuracy';
  const changes = changesFromFirst(
    results.map((one) => [taskMetrics(one, dataset)]),
    metric,
  );
  return results.map(({ source, answers, predictions }, i) => {
    const evaluation: Evaluation = computeMetrics(answers, dataset, source);
    return {
      name: source,
      tasks: evaluation.perTask.size,
      ...evaluation.overall,
      ...(predictions === undefined ? {} : voteMetrics(predictions, dataset)),
      [`${metric} change`]: changes[i]!,
    };
  });
}
