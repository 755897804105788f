import { loadTasks } from '../arc/dataset.js';
import { UserError } from '../common/errors.js';
import { readJson } from '../common/files.js';
import { validateSubmission } from '../evaluation/submission.js';

/** Whether a file is a valid submission. */
export interface SubmissionCheck {
  readonly tasks: number;
  readonly testInputs: number;
  /** What is wrong and where; absent when nothing is. */
  readonly problem?: string;
}

/**
 * Checks a submission against its challenges: every id, an entry for each test input, both attempts, grids of
 * 1×1 to 30×30 with colours 0 to 9, and nothing else.
 * @throws {UserError} when a file is missing or is not JSON
 */
export function checkSubmission(options: {
  submissionPath: string;
  challengesPath: string;
}): SubmissionCheck {
  const { submissionPath, challengesPath } = options;
  const tasks = loadTasks(challengesPath);
  const value = readJson(submissionPath, 'a submission');
  const testInputs = [...tasks.values()].reduce((sum, { test }) => sum + test.length, 0);
  try {
    validateSubmission(value, tasks, submissionPath);
    return { tasks: tasks.size, testInputs };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { tasks: tasks.size, testInputs, problem: error.message };
  }
}
