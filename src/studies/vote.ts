/** From many predictions for each test input to the few that are submitted. */
import { datasetOf, requireSolutions, singleTasks, type TaskData } from '../arc/dataset.js';
import { assertWritableFile } from '../common/output-files.js';
import { EvaluationError } from '../evaluation/errors.js';
import { predictionsOf, type ResultData, resultsOf, saveAnswers } from '../evaluation/files.js';
import { assertAnswersFit, computeMetrics } from '../evaluation/metrics.js';
import { assertRuleFits } from '../evaluation/selection.js';
import { buildSubmission, saveSubmission } from '../evaluation/submission.js';
import type { Answers } from '../evaluation/types.js';
import { rankPredictions, voteMetrics, winners } from '../evaluation/voting.js';
import { type OrValues, splitValues } from '../options/in-place.js';
import { voteOptions } from '../options/other.js';
import type { OptionsOf } from '../options/table.js';

/** Options of {@link voteOnPredictions}. */
export type VoteOnPredictionsOptions = OrValues<
  OptionsOf<typeof voteOptions.table>,
  'inputPath' | 'datasetPath',
  { tasks: TaskData; predictions: ResultData }
>;

/** The result of a vote. */
export interface VoteResult {
  /** Where the winners are; absent where predictions are a value and no file is named. */
  readonly outputPath?: string;
  readonly answers: Answers;
  readonly testInputs: number;
  readonly predictions: number;
  /** False for a file of attempts: equal votes are then ranked by which came first. */
  readonly logProbs: boolean;
  /** The winners' metrics with vote_1 … vote_n; absent without a data set or its solutions. */
  readonly metrics?: Record<string, number>;
}

/** `a/inference_task_results.json` → `a/inference_vote_2.json`. */
export function votedPath(inputPath: string, n: number): string {
  return `${inputPath.replace(/\.json$/, '').replace(/_task_results$/, '')}_vote_${n}.json`;
}

/**
 * Votes and writes the winners. Those of predictions that are given are written only where a file is named.
 * @throws {UserError} when the list is broken or does not fit the data set; then nothing is written
 */
export function voteOnPredictions(options: VoteOnPredictionsOptions): VoteResult {
  const { given, values } = splitValues(options, { datasetPath: 'tasks', inputPath: 'predictions' });
  const o = voteOptions.check(given);
  const { inputPath, n, method, datasetPath, submissionPath } = o;
  if (submissionPath !== undefined && datasetPath === undefined) {
    throw new EvaluationError(
      '`submissionPath` needs `datasetPath`: a submission covers every test input of it',
    );
  }
  const isFile = values.inputPath === undefined;
  const outputPath = o.outputPath ?? (isFile ? votedPath(inputPath, n) : undefined);
  const results = resultsOf(values.inputPath ?? inputPath);
  const predictions = predictionsOf(results);
  if (predictions.length === 0)
    throw new EvaluationError(`${inputPath}: expected predictions, found an empty list`);
  if (method !== undefined) assertRuleFits(method, predictions, inputPath);
  const answers = winners(rankPredictions(predictions, method), n);
  const dataset = datasetPath === undefined ? undefined : datasetOf(values.datasetPath ?? datasetPath);
  const tasks = dataset && singleTasks(dataset, datasetPath!);

  let metrics: Record<string, number> | undefined;
  if (dataset !== undefined && tasks !== undefined) {
    assertAnswersFit(answers, tasks, inputPath);
    const solved = [...tasks.values()].every(({ test }) => test.every(({ output }) => output !== undefined));
    if (submissionPath === undefined) requireSolutions(dataset, datasetPath!);
    if (solved) {
      const ns = [...new Set([1, n])];
      const votes = voteMetrics(predictions, tasks, method === undefined ? { ns } : { ns, method });
      metrics = { ...computeMetrics(answers, tasks, inputPath).overall, ...votes };
    }
  }
  const inputs = [inputPath, ...(datasetPath === undefined ? [] : [datasetPath])];
  if (outputPath !== undefined) {
    assertWritableFile(outputPath, '`outputPath`', inputs);
    inputs.push(outputPath);
  }
  if (submissionPath !== undefined && tasks !== undefined) {
    assertWritableFile(submissionPath, '`submissionPath`', inputs);
    saveSubmission(submissionPath, buildSubmission(answers, tasks), tasks);
  }
  if (outputPath !== undefined) saveAnswers(outputPath, answers);
  return {
    ...(outputPath === undefined ? {} : { outputPath }),
    answers,
    testInputs: [...answers.values()].reduce((sum, inputs) => sum + inputs.length, 0),
    predictions: predictions.length,
    logProbs: results.predictions !== undefined,
    ...(metrics === undefined ? {} : { metrics }),
  };
}
