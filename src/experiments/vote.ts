/** From many predictions for each test input to the few that are handed in. */
import { loadDataset, requireSolutions, singleTasks } from '../arc/dataset.js';
import { EvaluationError } from '../evaluation/errors.js';
import { loadPredictions, saveAnswers } from '../evaluation/files.js';
import { assertAnswersFit, computeMetrics } from '../evaluation/metrics.js';
import { buildSubmission, saveSubmission } from '../evaluation/submission.js';
import type { Answers } from '../evaluation/types.js';
import { rankPredictions, type VotingMethod, voteMetrics, winners } from '../evaluation/voting.js';
import { assertWritableFile } from './output-files.js';

/** Options of {@link voteOnPredictions}. */
export interface VoteOnPredictionsOptions {
  /** The detailed list that inference writes: `inference_task_results.json`. */
  inputFilepath: string;
  /** Where the winners go, in the format of `inference.json` (default: beside the input, with `_vote_<n>`). */
  outputFilepath?: string;
  /** Winners for each test input (default 2). */
  n?: number;
  /** Default `count-logprob`. */
  method?: VotingMethod;
  /** The predicted tasks: for metrics when they have solutions, and for a submission. */
  datasetPath?: string;
  /** Also write a submission: every test input of the data set, always with two attempts. */
  submissionFilepath?: string;
}

/** What a vote came to. */
export interface VoteResult {
  readonly outputFilepath: string;
  readonly answers: Answers;
  readonly testInputs: number;
  readonly predictions: number;
  /** The winners' metrics with vote_1 … vote_n; absent without a data set or its solutions. */
  readonly metrics?: Record<string, number>;
}

/** `a/inference_task_results.json` → `a/inference_vote_2.json`. */
export function votedPath(inputFilepath: string, n: number): string {
  return `${inputFilepath.replace(/\.json$/, '').replace(/_task_results$/, '')}_vote_${n}.json`;
}

/**
 * Votes and writes the winners.
 * @throws {UserError} when the list is broken or does not fit the data set; then nothing is written
 */
export function voteOnPredictions(options: VoteOnPredictionsOptions): VoteResult {
  const { inputFilepath, n = 2, method, datasetPath, submissionFilepath } = options;
  if (submissionFilepath !== undefined && datasetPath === undefined) {
    throw new EvaluationError(
      '--submission_filepath needs --dataset_path: a submission covers every test input of it',
    );
  }
  const outputFilepath = options.outputFilepath ?? votedPath(inputFilepath, n);
  const predictions = loadPredictions(inputFilepath);
  if (predictions.length === 0)
    throw new EvaluationError(`${inputFilepath}: expected predictions, found an empty list`);
  const answers = winners(rankPredictions(predictions, method), n);
  const dataset = datasetPath === undefined ? undefined : loadDataset(datasetPath);
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
  assertWritableFile(outputFilepath, '--output_filepath', inputs);
  if (submissionFilepath !== undefined && tasks !== undefined) {
    assertWritableFile(submissionFilepath, '--submission_filepath', [...inputs, outputFilepath]);
    saveSubmission(submissionFilepath, buildSubmission(answers, tasks), tasks);
  }
  saveAnswers(outputFilepath, answers);
  return {
    outputFilepath,
    answers,
    testInputs: [...answers.values()].reduce((sum, inputs) => sum + inputs.length, 0),
    predictions: predictions.length,
    ...(metrics === undefined ? {} : { metrics }),
  };
}
