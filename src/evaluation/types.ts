import type { Augmentation } from '../arc/augmentation.js';
import type { Grid, Task } from '../arc/types.js';

/** One answer of the model to one test input, with its augmentation already undone. */
export interface Prediction {
  readonly taskId: string;
  /** Which test input of the task, from 0. */
  readonly testIndex: number;
  /** Null when the text was not a grid. */
  readonly grid: Grid | null;
  /** What the model wrote. */
  readonly text?: string;
  /** Why the model gave no answer, where it gave none. */
  readonly reason?: string;
  /** Sum of the log-probabilities of the tokens that the model chose, in nats; what a grammar forced counts 0. */
  readonly logProb: number;
  /** How many tokens were generated, the end of turn included. */
  readonly tokens: number;
  /**
   * Log-probabilities of the grid under the views that all candidates of the test input were scored with, in the order
   * of the views, in nats: of the whole answer with its end. Null where no prompt fits. Absent until it is scored.
   */
  readonly scores?: readonly (number | null)[];
  /** The log-probability that generation gave, where the mean of `scores` has taken its place in `logProb`. */
  readonly ownLogProb?: number;
  readonly augmentation: Augmentation;
}

/**
 * The tasks that answers are about, by id: what `loadTasks` or `loadDataset` returns. Where an id has several
 * variants, its answers are about the first.
 */
export type TaskSet = ReadonlyMap<string, Task | readonly Task[]>;

/** The grids that were proposed for one test input, in order; null where a text was not a grid. */
export type Attempts = readonly (Grid | null)[];

/** Attempts by task id, one list for each test input in order. What the metrics are computed from. */
export type Answers = ReadonlyMap<string, readonly Attempts[]>;

/** `{task_id: [{attempt_1: grid, attempt_2: grid, …}]}`, one entry for each test input. */
export type InferenceFile = Record<string, Record<string, Grid | null>[]>;

/** What Kaggle scores: `{task_id: [{attempt_1, attempt_2}]}`, one entry for each test input in order. */
export type Submission = Record<string, { attempt_1: Grid; attempt_2: Grid }[]>;
