import { join } from 'node:path';
import type { Grid, Task } from '../arc/types.js';
import { messageOf } from '../common/errors.js';
import { writeFileAtomic } from '../common/files.js';
import { fallbackAttempts } from '../evaluation/fallback.js';
import { predictionLines } from '../evaluation/files.js';
import { buildSubmission, submissionText } from '../evaluation/submission.js';
import type { Answers, Prediction } from '../evaluation/types.js';
import { type VotingMethod, vote } from '../evaluation/voting.js';
import type { Item } from './protocol.js';

/** Something that went wrong on the way to a submission, and how often. */
export interface SubmitFailure {
  readonly stage: 'fine-tune' | 'model' | 'process' | 'predict' | 'write' | 'stopped';
  readonly taskId?: string;
  readonly testIndex?: number;
  readonly message: string;
  count: number;
}

/** A failure in one line. */
export function failureLine({ stage, taskId, testIndex, message, count }: SubmitFailure): string {
  const about = taskId === undefined ? stage : `${stage} ${taskId}/${testIndex}`;
  return `${about}: ${message}${count > 1 ? ` (${count} times)` : ''}`;
}

type Tasks = ReadonlyMap<string, Task>;

/**
 * What is known so far: predictions and failures, in memory and on disk. The submission on disk is whole and
 * valid from the first write on, because it is built complete and renamed into place.
 */
export class SubmitLedger {
  readonly failures: SubmitFailure[] = [];
  readonly #predictions = new Map<string, Prediction>();
  readonly #fallbacks: Answers;
  readonly files: { readonly submission: string; readonly predictions: string; readonly failures: string };

  constructor(
    readonly tasks: Tasks,
    outputDir: string,
    readonly method?: VotingMethod,
    readonly write: (path: string, text: string) => void = writeFileAtomic,
  ) {
    this.files = {
      submission: join(outputDir, 'submission.json'),
      predictions: join(outputDir, 'submission_task_results.json'),
      failures: join(outputDir, 'failures.json'),
    };
    this.#fallbacks = new Map(
      [...tasks].map(([id, task]) => [id, task.test.map((_, i) => fallbackAttempts(task, i))]),
    );
  }

  add({ taskId, testIndex, i }: Item, prediction: Prediction): void {
    this.#predictions.set(key(taskId, testIndex, i), prediction);
  }

  fail(failure: Omit<SubmitFailure, 'count'>, count = 1): void {
    const same = (other: SubmitFailure) =>
      other.stage === failure.stage &&
      other.taskId === failure.taskId &&
      other.testIndex === failure.testIndex &&
      other.message === failure.message;
    const known = this.failures.find(same);
    if (known) known.count += count;
    else this.failures.push({ ...failure, count });
  }

  /** How many predictions there are. */
  get count(): number {
    return this.#predictions.size;
  }

  /** All predictions: tasks in their order, test inputs in theirs, then the augmentations. */
  predictions(): Prediction[] {
    return [...this.#predictions]
      .map(([name, prediction]) => ({ i: Number(name.slice(name.lastIndexOf('/') + 1)), prediction }))
      .sort(
        (a, b) =>
          this.#place(a.prediction) - this.#place(b.prediction) ||
          a.prediction.testIndex - b.prediction.testIndex ||
          a.i - b.i,
      )
      .map(({ prediction }) => prediction);
  }

  readonly #order = new Map<string, number>();

  #place({ taskId }: Prediction): number {
    if (this.#order.size === 0) for (const id of this.tasks.keys()) this.#order.set(id, this.#order.size);
    return this.#order.get(taskId)!;
  }

  /** The winners of the vote; where there are too few, attempts that need no model follow. */
  answers(): Answers {
    const voted = vote(this.predictions(), { n: 2, ...(this.method ? { method: this.method } : {}) });
    return new Map(
      [...this.#fallbacks].map(([id, inputs]) => [
        id,
        inputs.map((attempts, i): (Grid | null)[] => [...(voted.get(id)?.[i] ?? []), ...attempts]),
      ]),
    );
  }

  /** The test inputs that no answer has been a grid for. */
  unanswered(): { taskId: string; testIndex: number }[] {
    const answered = new Set(
      [...this.#predictions.values()].flatMap(({ grid, taskId, testIndex }) =>
        grid === null ? [] : [key(taskId, testIndex, 0)],
      ),
    );
    return [...this.tasks].flatMap(([taskId, { test }]) =>
      test.flatMap((_, testIndex) =>
        answered.has(key(taskId, testIndex, 0)) ? [] : [{ taskId, testIndex }],
      ),
    );
  }

  /** Writes the submission as it would be now. When that fails the last one stays, and the failure is kept. */
  saveSubmission(): boolean {
    const { submission } = this.files;
    return this.#save(submission, () => {
      this.write(submission, submissionText(buildSubmission(this.answers(), this.tasks), this.tasks));
    });
  }

  /** Writes the detailed list of predictions. */
  savePredictions(): boolean {
    const { predictions } = this.files;
    return this.#save(predictions, () => this.write(predictions, predictionLines(this.predictions())));
  }

  /** Writes the list of failures: an empty one when there are none. */
  saveFailures(): boolean {
    const { failures } = this.files;
    return this.#save(failures, () => this.write(failures, `${JSON.stringify(this.failures, null, 2)}\n`));
  }

  #save(path: string, write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      this.fail({ stage: 'write', message: `cannot write ${path}: ${messageOf(error)}` });
      return false;
    }
  }
}

const key = (taskId: string, testIndex: number, i: number) => `${taskId}/${testIndex}/${i}`;
