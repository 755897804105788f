/** Rows of colours: a rectangle of 1×1 to 30×30 integers from 0 to 9. */
export type Grid = readonly (readonly number[])[];

/** Where a sample stands in the task that it was taken from. Changes of tasks keep it, so that samples can be followed. */
export interface SampleOrigin {
  readonly set: 'train' | 'test';
  readonly index: number;
}

/** An input and what it becomes. */
export interface Sample {
  readonly input: Grid;
  readonly output: Grid;
  readonly candidates?: readonly Grid[];
  readonly origin?: SampleOrigin;
}

/** An input whose output may be unknown (in a challenge) or known (in a data set with solutions). */
export interface TestSample {
  readonly input: Grid;
  readonly output?: Grid;
  /** Grids that were proposed for its output, right or wrong: predictions, for prompts that judge them. */
  readonly candidates?: readonly Grid[];
  readonly origin?: SampleOrigin;
}

/** A few samples that show a rule, and the inputs to apply it to. */
export interface Task {
  readonly train: readonly Sample[];
  readonly test: readonly TestSample[];
  /**
   * The source of a program that makes every output from its input. A change of the grids that it does not describe
   * loses it.
   */
  readonly code?: string;
}

/**
 * Tasks by id, each with at least one variant. Kaggle's format has one variant per id. A task without a test
 * set (RE-ARC) has `test: []`; the training stream then draws its test sample from the train samples.
 */
export type Dataset = ReadonlyMap<string, readonly Task[]>;
