/** Several submissions or result files as one, so that their answers can be voted on together. */
import { resolve } from 'node:path';
import { loadDataset, singleTasks } from '../arc/dataset.js';
import { UserError } from '../common/errors.js';
import { assertWritableFile } from '../common/output-files.js';
import { loadResults, predictionsOf, saveResults, taskResultsPath } from '../evaluation/files.js';
import { assertAnswersFit } from '../evaluation/metrics.js';
import type { Prediction } from '../evaluation/types.js';
import { groupPredictions } from '../evaluation/voting.js';
import { joinOptions } from '../options/evaluation.js';
import type { OptionsOf } from '../options/table.js';

/** Options of {@link joinResults}. */
export type JoinResultsOptions = OptionsOf<typeof joinOptions.table>;

/** What was joined. */
export interface JoinResultsResult {
  /** Predictions of each file. */
  readonly counts: readonly number[];
  readonly testInputs: number;
  /** The detailed list, which can be voted on. */
  readonly detailsPath: string;
}

/**
 * Joins result files: for each test input the first prediction of every file, then every second one, and so on, so
 * that no file is ahead where votes are equal. Submissions and attempts have no log-probability.
 * @throws {UserError} when a file is broken, is given twice, or is not about the data set; then nothing is written
 */
export function joinResults(options: JoinResultsOptions): JoinResultsResult {
  const { inputPaths, outputPath, datasetPath } = joinOptions.check(options);
  if (inputPaths.length < 2) {
    throw new UserError(`join: expected at least two result files, found ${inputPaths.length}`);
  }
  const twice = inputPaths.find((path, i) =>
    inputPaths.slice(0, i).some((other) => resolve(other) === resolve(path)),
  );
  if (twice !== undefined) throw new UserError(`join: ${twice} is given twice, and would vote twice`);
  const detailsPath = taskResultsPath(outputPath);
  for (const path of [outputPath, detailsPath]) assertWritableFile(path, '`outputPath`', inputPaths);
  const files = inputPaths.map(loadResults);
  if (datasetPath !== undefined) {
    const tasks = singleTasks(loadDataset(datasetPath), datasetPath);
    for (const { answers, source } of files) assertAnswersFit(answers, tasks, source);
  }
  const lists = files.map(predictionsOf);
  const joined = joinPredictions(lists);
  saveResults(outputPath, joined);
  const testInputs = [...groupPredictions(joined).values()].flat().filter((list) => list.length > 0).length;
  return { counts: lists.map(({ length }) => length), testInputs, detailsPath };
}

/**
 * Joins lists of predictions as {@link joinResults} joins files: by task and test input, in which the lists take turns.
 */
export function joinPredictions(lists: readonly (readonly Prediction[])[]): Prediction[] {
  const groups = lists.map(groupPredictions);
  const taskIds = [...new Set(groups.flatMap((group) => [...group.keys()]))];
  return taskIds.flatMap((taskId) => {
    const inputs = groups.map((group) => group.get(taskId) ?? []);
    const most = Math.max(...inputs.map(({ length }) => length));
    return Array.from({ length: most }, (_, testIndex) => {
      const own = inputs.map((list) => list[testIndex] ?? []);
      const rounds = Math.max(...own.map(({ length }) => length));
      return Array.from({ length: rounds }, (_, round) => own.flatMap((list) => list[round] ?? [])).flat();
    }).flat();
  });
}
