/** What each part of a method gives: attempts that were chosen in several ways for the same tasks, side by side. */
import { EvaluationError } from './errors.js';
import { type PairedDifference, pairedDifference } from './intervals.js';
import { mean, solvedPerTask } from './metrics.js';
import type { Answers, TaskSet } from './types.js';

/** One way of choosing attempts, and what it chose. */
export interface Part {
  readonly name: string;
  /** Attempts, best first; of each test input the first two count. */
  readonly answers: Answers;
  /** The part that this one is compared with; default: the one before. */
  readonly against?: string;
}

/** What a part is worth. */
export interface Contribution {
  readonly name: string;
  /** Fractions of the tasks that the first attempt, and the first two, solve. */
  readonly vote_1: number;
  readonly vote_2: number;
  /** What it is compared with, and how much more two attempts solve, on the same tasks; absent for the first part. */
  readonly against?: string;
  readonly gain?: PairedDifference;
}

/**
 * What parts give, each with its paired difference to another one.
 * @param seed of the intervals' bootstrap
 * @throws {EvaluationError} when answers and data set do not fit, or a part is compared with one that is not there
 */
export function contributions(
  parts: readonly Part[],
  dataset: TaskSet,
  { seed = 0 }: { seed?: number } = {},
): Contribution[] {
  const measured = parts.map(({ name, answers, against }, i) => ({
    name,
    against: against ?? parts[i - 1]?.name,
    first: solvedPerTask(answers, dataset, 1),
    both: solvedPerTask(answers, dataset, 2),
  }));
  return measured.map(({ name, against, first, both }) => {
    const other = measured.find((part) => part.name === against);
    if (against !== undefined && other === undefined) {
      const names = parts.map((part) => part.name).join(', ');
      throw new EvaluationError(`the part "${name}" is compared with "${against}", expected one of ${names}`);
    }
    return {
      name,
      vote_1: mean(first),
      vote_2: mean(both),
      ...(other ? { against: other.name, gain: pairedDifference(both, other.both, { seed }) } : {}),
    };
  });
}
