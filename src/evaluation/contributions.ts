/** What each part of a method gives: attempts that were chosen in several ways for the same tasks, side by side. */
import { EvaluationError } from './errors.js';
import { type PairedDifference, pairedDifference } from './intervals.js';
import { mean, solvedPerTask } from './metrics.js';
import { type Spread, spreadOf } from './spread.js';
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
  /** The part of each task's test inputs that two attempts solve, in the data set's order. */
  readonly solved: readonly number[];
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
      solved: both,
      ...(other ? { against: other.name, gain: pairedDifference(both, other.both, { seed }) } : {}),
    };
  });
}

/** What a part is worth over several runs. */
export interface PooledContribution extends Omit<Contribution, 'solved' | 'vote_1' | 'vote_2'> {
  /** Mean and standard deviation over the runs. */
  readonly vote_1: Spread;
  readonly vote_2: Spread;
}

/**
 * What parts give over runs that each have tasks of their own, such as those of several seeds: differences with a
 * bootstrap over tasks and runs.
 * @throws {EvaluationError} when the runs do not have the same parts
 */
export function pooledContributions(
  runs: readonly (readonly Contribution[])[],
  { seed = 0 }: { seed?: number } = {},
): PooledContribution[] {
  const [first, ...others] = runs;
  if (first === undefined) throw new EvaluationError('expected the parts of at least one run, found none');
  const namesOf = (parts: readonly Contribution[]) =>
    parts.map(({ name, against = 'none' }) => `${name} against ${against}`).join(', ');
  const other = others.find((parts) => namesOf(parts) !== namesOf(first));
  if (other !== undefined) {
    throw new EvaluationError(
      `expected the same parts in all runs, found "${namesOf(first)}" and "${namesOf(other)}"`,
    );
  }
  return first.map(({ name, against }, i) => {
    const of = (place: number) => runs.map((parts) => parts[place]!);
    const solved = (place: number) => of(place).map((part) => part.solved);
    const reference = first.findIndex((part) => part.name === against);
    return {
      name,
      vote_1: spreadOf(of(i).map(({ vote_1 }) => vote_1)),
      vote_2: spreadOf(of(i).map(({ vote_2 }) => vote_2)),
      ...(against === undefined
        ? {}
        : { against, gain: pairedDifference(solved(i), solved(reference), { seed, tasks: 'per-run' }) }),
    };
  });
}
