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
  'inputFilepath' | 'datasetPath',
  { tasks: TaskData; predictions: ResultData }
>;

/** The result of a vote. */
export interface VoteResult {
  /** Where the winners are; absent where predictions are a value and no file is named. */
  readonly outputFilepath?: string;
  readonly answers: Answers;
  readonly testInputs: number;
  readonly predictions: number;
  /** False for a file of attempts: equal votes are then ranked by which came first. */
  readonly logProbs: boolean;
  /** The winners' metrics with vote_1 … vote_n; absent without a data set or its solutions. */
  readonly metrics?: Record<string, number>;
}

/** `a/inference_task_results.json` → `a/inference_vote_2.json`. */
export function votedPath(inputFilepath: string, n: number): string {
  return `${inputFilepath.replace(/\.json$/, '').replace(/_task_results$/, '')}_vote_${n}.json`;
}

/**
 * Votes and writes the winners. Those of predictions that are given are written only where a file is named.
 * @throws {UserError} when the list is broken or does not fit the data set; then nothing is written
 */
export function voteOnPredictions(options: VoteOnPredictionsOptions): VoteResult {
  const { given, values } = splitValues(options, { datasetPath: 'tasks', inputFilepath: 'predictions' });
  const o = voteOptions.check(given);
  const { inputFilepath, n, method, datasetPath, submissionFilepath } = o;
  if (submissionFilepath !== undefined && datasetPath === undefined) {
    throw new EvaluationError(
      '`submissionFilepath` needs `datasetPath`: a submission covers every test input of it',
    );
  }
  const isFile = values.inputFilepath === undefined;
  const outputFilepath = o.outputFilepath ?? (isFile ? votedPath(inputFilepath, n) : undefined);
  const results = resultsOf(values.inputFilepath ?? inputFilepath);
  const predictions = predictionsOf(results);
  if (predictions.length === 0)
    throw new EvaluationError(`${inputFilepath}: expected predictions, found an empty list`);
  if (method !== undefined) assertRuleFits(method, predictions, inputFilepath);
  const answers = winners(rankPredictions(predictions, method), n);
  const dataset = datasetPath === undefined ? undefined : datasetOf(values.datasetPath ?? datasetPath);
  const tasks = dataset && singleTasks(dataset, datasetPath!);

  let metrics: Record<string, number> | undefined;
  if (dataset !== undefined && tasks !== undefined) {
    assertAnswersFit(answers, tasks, inputFilepath);
    const solved = [...tasks.values()].every(({ test }) => test.every(({ output }) => output !== undefined));
    if (submissionFilepath === undefined) requireSolutions(dataset, datasetPath!);
    if (solved) {
      const ns = [...new Set([1, n])];
      const votes = voteMetrics(predictions, tasks, method === undefined ? { ns } : { ns, method });
      metrics = { ...computeMetrics(answers, tasks, inputFilepath).overall, ...votes };
    }
  }
  const inputs = [inputFilepath, ...(datasetPath === undefined ? [] : [datasetPath])];
  if (outputFilepath !== undefined) {
    assertWritableFile(outputFilepath, '`outputFilepath`', inputs);
    inputs.push(outputFilepath);
  }
  if (submissionFilepath !== undefined && tasks !== undefined) {
    assertWritableFile(submissionFilepath, '`submissionFilepath`', inputs);
    saveSubmission(submissionFilepath, buildSubmission(answers, tasks), tasks);
  }
  if (outputFilepath !== undefined) saveAnswers(outputFilepath, answers);
  return {
    ...(outputFilepath === undefined ? {} : { outputFilepath }),
    answers,
    testInputs: [...answers.values()].reduce((sum, inputs) => sum + inputs.length, 0),
    predictions: predictions.length,
    logProbs: results.predictions !== undefined,
    ...(metrics === undefined ? {} : { metrics }),
  };
}
