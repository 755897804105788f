import { gridKey } from '../arc/grid.js';
import type { Grid } from '../arc/types.js';
import { assertRectangular, gridSchema as grid } from '../arc/validate.js';
import { writeFileAtomic } from '../common/files.js';
import { compileSchema } from '../common/schema.js';
import { SubmissionError } from './errors.js';
import { taskOf } from './metrics.js';
import type { Answers, Submission, TaskSet } from './types.js';

const checkShape = compileSchema<Submission>(
  {
    type: 'object',
    additionalProperties: {
      type: 'array',
      items: {
        type: 'object',
        required: ['attempt_1', 'attempt_2'],
        additionalProperties: false,
        properties: { attempt_1: grid, attempt_2: grid },
      },
    },
  },
  'a submission {task_id: [{"attempt_1": grid, "attempt_2": grid}]}',
);

/**
 * Two attempts for a test input: the two best different answers. What is missing is guessed: first the input
 * itself (many outputs are the input with few changes), then a single black cell.
 */
function twoAttempts(ranked: readonly (Grid | null)[], input: Grid): Submission[string][number] {
  const different = new Map<string, Grid>();
  for (const candidate of [...ranked, input, [[0]], [[1]]]) {
    if (candidate !== null && !different.has(gridKey(candidate)))
      different.set(gridKey(candidate), candidate);
  }
  const [first, second] = [...different.values()];
  return { attempt_1: first!, attempt_2: second! };
}

/**
 * Makes the submission for a set of challenges from ranked answers (see `vote`): one entry for each test input
 * of every task, in order, always with both attempts. Answers of other tasks are left out.
 */
export function buildSubmission(answers: Answers, challenges: TaskSet): Submission {
  return Object.fromEntries(
    [...challenges.keys()].map((taskId) => [
      taskId,
      taskOf(challenges, taskId)!.test.map(({ input }, i) =>
        twoAttempts(answers.get(taskId)?.[i] ?? [], input),
      ),
    ]),
  );
}

/**
 * Checks everything the competition asks for: every task id, one entry for each test input, both attempts,
 * rectangular grids of 1×1 to 30×30 with colours 0 to 9, and nothing else.
 * @throws {UserError} naming the first thing that is wrong.
 */
export function validateSubmission(value: unknown, challenges: TaskSet, source = 'submission'): Submission {
  const submission = checkShape(value, source);
  for (const taskId of challenges.keys()) {
    const entries = submission[taskId];
    const expected = taskOf(challenges, taskId)!.test.length;
    if (entries === undefined) throw new SubmissionError(`${source}: task "${taskId}" is missing`);
    if (entries.length !== expected) {
      throw new SubmissionError(
        `${source}: task "${taskId}" has ${entries.length} entries, but ${expected} test inputs`,
      );
    }
  }
  for (const [taskId, entries] of Object.entries(submission)) {
    if (!challenges.has(taskId)) {
      throw new SubmissionError(`${source}: task "${taskId}" is not one of the challenges`);
    }
    for (const [i, entry] of entries.entries()) {
      for (const [name, rows] of Object.entries(entry) as [string, Grid][]) {
        assertRectangular(rows, source, () => `/${taskId}/${i}/${name}`);
      }
    }
  }
  return submission;
}

/** A submission as text, after a check. @throws {UserError} when it is not valid */
export function submissionText(submission: Submission, challenges: TaskSet, source?: string): string {
  return `${JSON.stringify(validateSubmission(submission, challenges, source))}\n`;
}

/** Validates a submission and writes it. @throws {UserError} when it is not valid; then nothing is written. */
export function saveSubmission(path: string, submission: Submission, challenges: TaskSet): void {
  writeFileAtomic(path, submissionText(submission, challenges, path));
}
