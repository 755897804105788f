import { join } from 'node:path';
import { gridKey } from '../arc/grid.js';
import type { Grid, Task } from '../arc/types.js';
import { messageOf } from '../common/errors.js';
import { writeFileAtomic } from '../common/files.js';
import { newBallots } from '../evaluation/ballots.js';
import { fallbackAttempts } from '../evaluation/fallback.js';
import { predictionLines } from '../evaluation/files.js';
import { withScores } from '../evaluation/scores.js';
import type { SelectionRuleName } from '../evaluation/selection.js';
import { buildSubmission, submissionText } from '../evaluation/submission.js';
import type { Answers, Prediction } from '../evaluation/types.js';
import { type Ranking, rankEachInput, winners } from '../evaluation/voting.js';
import type { Answer, Item } from './protocol.js';

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
  readonly #answers = new Map<string, Item & Answer>();
  readonly #fallbacks: Answers;
  readonly files: { readonly submission: string; readonly predictions: string; readonly failures: string };

  constructor(
    readonly tasks: Tasks,
    outputDir: string,
    readonly method?: SelectionRuleName,
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

  add({ taskId, testIndex, i }: Item, answer: Answer): void {
    this.#answers.set(key(taskId, testIndex, i), { ...answer, taskId, testIndex, i });
  }

  fail(failure: Omit<SubmitFailure, 'count'>): void {
    const same = (other: SubmitFailure) =>
      other.stage === failure.stage &&
      other.taskId === failure.taskId &&
      other.testIndex === failure.testIndex &&
      other.message === failure.message;
    const known = this.failures.find(same);
    if (known) known.count += 1;
    else this.failures.push({ ...failure, count: 1 });
  }

  /** How many items have an answer. */
  get count(): number {
    return this.#answers.size;
  }

  /**
   * All predictions: tasks in their order, test inputs in theirs, then the augmentations, and at last what a search has
   * found; a grid that it finds in the view of a prediction is that prediction. Each has the scores of its grid,
   * where a search has scored it.
   */
  predictions(): Prediction[] {
    const answers = [...this.#answers.values()].sort(
      (a, b) => this.#place(a) - this.#place(b) || a.testIndex - b.testIndex || a.i - b.i,
    );
    const scored = new Map(
      answers.flatMap(({ taskId, testIndex, scored = [] }) =>
        scored.map((one) => [`${key(taskId, testIndex)}/${gridKey(one.grid)}`, one] as const),
      ),
    );
    const isNew = newBallots();
    return answers
      .flatMap(({ predictions, scored }) => predictions.filter((one) => isNew(one, scored !== undefined)))
      .map((prediction) => {
        const { taskId, testIndex, grid } = prediction;
        const own = grid && scored.get(`${key(taskId, testIndex)}/${gridKey(grid)}`);
        return own ? withScores(prediction, own) : prediction;
      });
  }

  /** The different grids that were predicted for a test input before an item, in their order. */
  knownGrids({ taskId, testIndex, i }: Item): Grid[] {
    const grids = new Map<string, Grid>();
    for (let before = 0; before < i; before++) {
      for (const { grid } of this.#answers.get(key(taskId, testIndex, before))?.predictions ?? []) {
        if (grid !== null) grids.set(gridKey(grid), grid);
      }
    }
    return [...grids.values()];
  }

  readonly #order = new Map<string, number>();

  #place({ taskId }: Item): number {
    if (this.#order.size === 0) for (const id of this.tasks.keys()) this.#order.set(id, this.#order.size);
    return this.#order.get(taskId)!;
  }

  /** The candidates for each test input, best first. */
  ranking(): Ranking {
    return rankEachInput(this.predictions(), this.method);
  }

  /** The two best candidates; where there are fewer, attempts that need no model follow. */
  answers(): Answers {
    const best = winners(this.ranking(), 2);
    return new Map(
      [...this.#fallbacks].map(([id, inputs]) => [
        id,
        inputs.map((attempts, i): (Grid | null)[] => [...(best.get(id)?.[i] ?? []), ...attempts]),
      ]),
    );
  }

  /** The test inputs that no answer has been a grid for. */
  unanswered(): { taskId: string; testIndex: number }[] {
    const answered = new Set(
      [...this.#answers.values()].flatMap(({ predictions, taskId, testIndex }) =>
        predictions.some(({ grid }) => grid !== null) ? [key(taskId, testIndex)] : [],
      ),
    );
    return [...this.tasks].flatMap(([taskId, { test }]) =>
      test.flatMap((_, testIndex) => (answered.has(key(taskId, testIndex)) ? [] : [{ taskId, testIndex }])),
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

const key = (...names: readonly [taskId: string, testIndex: number, i?: number]) => names.join('/');
