import type { Grid, Task } from '../arc/types.js';
import { EvaluationError } from './errors.js';
import { scoreGrid } from './grids.js';
import type { Answers, Attempts, TaskSet } from './types.js';

/** The published names, in the order in which they are printed. */
export const METRIC_NAMES = [
  'accuracy',
  'correct_pixels',
  'max_correct_pixels',
  'correct_size',
  'any_correct_size',
  'pass_n',
  'unanswered',
] as const;

/** One of {@link METRIC_NAMES}. */
export type MetricName = (typeof METRIC_NAMES)[number];

/** Fractions from 0 to 1. */
export type Metrics = Record<MetricName, number>;

/** The metrics of a set of answers. */
export interface Evaluation {
  /** The mean over tasks. */
  readonly overall: Metrics;
  /** The mean over each task's test inputs, in the order of the data set. */
  readonly perTask: ReadonlyMap<string, Metrics>;
  readonly testInputs: number;
  /** How many attempts were made over all test inputs, unanswered ones included. */
  readonly attempts: number;
}

/** A test input whose solution is known, with what was answered. */
export interface ScoredInput {
  readonly taskId: string;
  readonly testIndex: number;
  readonly solution: Grid;
  readonly attempts: Attempts;
}

/** The mean; 0 for nothing. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A number of each test input, by task, in the order in which they come. */
export function valuesByTask(values: readonly { taskId: string; value: number }[]): Map<string, number[]> {
  const byTask = new Map<string, number[]>();
  for (const { taskId, value } of values) {
    const list = byTask.get(taskId);
    if (list === undefined) byTask.set(taskId, [value]);
    else list.push(value);
  }
  return byTask;
}

/** The mean over each task's test inputs, then over tasks, each with the same weight. */
export function meanOverTasks(values: readonly { taskId: string; value: number }[]): number {
  return mean([...valuesByTask(values).values()].map(mean));
}

/** The mean of each metric. */
export function meanMetrics(list: readonly Metrics[]): Metrics {
  return Object.fromEntries(
    METRIC_NAMES.map((name) => [name, mean(list.map((metrics) => metrics[name]))]),
  ) as Metrics;
}

/**
 * The metrics of one test input over its attempts.
 *
 * - accuracy: the fraction of attempts that equal the solution;
 * - correct_pixels: the mean fraction of right cells (0 for a wrong size or no grid), max_correct_pixels its maximum;
 * - correct_size: the fraction of attempts of the right size, any_correct_size whether there is one (0 or 1);
 * - pass_n: whether any attempt equals the solution (0 or 1);
 * - unanswered: the fraction of attempts that are no grid; 1 when there are no attempts at all.
 */
export function metricsOfInput(attempts: Attempts, solution: Grid): Metrics {
  const scores = attempts.map((grid) => scoreGrid(grid, solution));
  const pixels = scores.map((score) => score.correctPixels);
  return {
    accuracy: mean(scores.map((score) => Number(score.exact))),
    correct_pixels: mean(pixels),
    max_correct_pixels: Math.max(0, ...pixels),
    correct_size: mean(scores.map((score) => Number(score.sameSize))),
    any_correct_size: Number(scores.some((score) => score.sameSize)),
    pass_n: Number(scores.some((score) => score.exact)),
    unanswered: attempts.length === 0 ? 1 : mean(attempts.map((grid) => Number(grid === null))),
  };
}

/** The task that answers to an id are about. */
export function taskOf(dataset: TaskSet, taskId: string): Task | undefined {
  const entry = dataset.get(taskId);
  return entry === undefined || 'train' in entry ? entry : entry[0];
}

/** Makes sure that answers are about a data set. @throws {EvaluationError} naming the first task that is not in it */
export function assertAnswersFit(answers: Answers, dataset: TaskSet, source: string): void {
  for (const [taskId, inputs] of answers) {
    const task = taskOf(dataset, taskId);
    if (task === undefined) {
      const some = [...dataset.keys()].slice(0, 3).join(', ');
      const known = `${dataset.size} ${dataset.size === 1 ? 'task' : 'tasks'} (${some}${dataset.size > 3 ? ', …' : ''})`;
      throw new EvaluationError(
        `${source}: task "${taskId}" is not in the data set, which has ${known}: is it the one that was predicted?`,
      );
    }
    if (inputs.length > task.test.length) {
      throw new EvaluationError(
        `${source}: task "${taskId}" has answers for ${inputs.length} test inputs, but the data set has ${task.test.length}`,
      );
    }
  }
}

/**
 * Puts answers beside the solutions of a data set, in its order. A test input without answers gets no attempts,
 * so it counts as unanswered and not as absent.
 * @throws {EvaluationError} for an answer that the data set has no test input for, or a missing solution.
 */
export function scoredInputs(answers: Answers, dataset: TaskSet, source = 'the predictions'): ScoredInput[] {
  assertAnswersFit(answers, dataset, source);
  const scored: ScoredInput[] = [];
  for (const taskId of dataset.keys()) {
    for (const [testIndex, { output }] of taskOf(dataset, taskId)!.test.entries()) {
      if (output === undefined) {
        throw new EvaluationError(
          `the data set has no solution of task "${taskId}", test input ${testIndex}: evaluation needs a file with outputs, or the solutions file beside the challenges`,
        );
      }
      const attempts = answers.get(taskId)?.[testIndex] ?? [];
      scored.push({ taskId, testIndex, solution: output, attempts });
    }
  }
  if (scored.length === 0) {
    throw new EvaluationError('the data set has no test inputs, so there is nothing to evaluate');
  }
  return scored;
}

/** Which part of each task's test inputs the first n attempts solve, in the order of the data set. */
export function solvedPerTask(answers: Answers, dataset: TaskSet, n: number, source?: string): number[] {
  const solved = scoredInputs(answers, dataset, source).map(({ taskId, solution, attempts }) => ({
    taskId,
    value: Number(attempts.slice(0, n).some((grid) => scoreGrid(grid, solution).exact)),
  }));
  return [...valuesByTask(solved).values()].map(mean);
}

/**
 * Computes the metrics of every task of the data set and overall. A task with two test inputs of which one is
 * solved has pass_n 0.5; the overall value is the mean over tasks, each with the same weight.
 * @throws {EvaluationError} for answers that the data set has no test input for, or a missing solution.
 */
export function computeMetrics(answers: Answers, dataset: TaskSet, source?: string): Evaluation {
  const inputs = scoredInputs(answers, dataset, source);
  const byTask = new Map<string, Metrics[]>();
  let attempts = 0;
  for (const input of inputs) {
    const metrics = metricsOfInput(input.attempts, input.solution);
    const list = byTask.get(input.taskId);
    if (list === undefined) byTask.set(input.taskId, [metrics]);
    else list.push(metrics);
    attempts += input.attempts.length;
  }
  const perTask = new Map([...byTask].map(([taskId, list]) => [taskId, meanMetrics(list)]));
  return { overall: meanMetrics([...perTask.values()]), perTask, testInputs: inputs.length, attempts };
}

/** A fraction as `4.6%`. */
export function formatPercent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)}%`;
}

/** All metrics on one line: `accuracy: 4.6% correct_pixels: 68.5% …`. Names that are not in the list come last. */
export function formatMetrics(metrics: Readonly<Record<string, number>>): string {
  const known = METRIC_NAMES.filter((name) => name in metrics);
  const others = Object.keys(metrics).filter((name) => !(METRIC_NAMES as readonly string[]).includes(name));
  return [...known, ...others].map((name) => `${name}: ${formatPercent(metrics[name]!)}`).join(' ');
}
