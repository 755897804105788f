import { describe, expect, it } from 'vitest';
import type { Grid, Task } from '../../src/arc/types.js';
import { type Contribution, contributions, pooledContributions } from '../../src/evaluation/contributions.js';
import { EvaluationError } from '../../src/evaluation/errors.js';
import { pairedDifference } from '../../src/evaluation/intervals.js';
import { solvedPerTask } from '../../src/evaluation/metrics.js';

const right: Grid = [[1]];
const wrong: Grid = [[2]];
const task = (testInputs: number): Task => ({
  train: [],
  test: Array.from({ length: testInputs }, () => ({ input: [[0]], output: right })),
});
const tasks = new Map([
  ['a', task(1)],
  ['b', task(2)],
  ['c', task(1)],
]);

describe('what parts give', () => {
  const first = new Map([
    ['a', [[wrong, right]]],
    ['b', [[right], [wrong, wrong, right]]],
  ]);
  const all = new Map([
    ['c', [[right]]],
    ['b', [[right], [right]]],
    ['a', [[wrong, right]]],
  ]);

  it('a task counts as the part of its test inputs that n attempts solve, and 0 without answers', () => {
    expect(solvedPerTask(first, tasks, 1)).toEqual([0, 0.5, 0]);
    expect(solvedPerTask(first, tasks, 2)).toEqual([1, 0.5, 0]);
    expect(solvedPerTask(first, tasks, 3)).toEqual([1, 1, 0]);
    expect(solvedPerTask(all, tasks, 1)).toEqual([0, 1, 1]);
  });

  it('each is compared with the one before, or with the one that it names, on the same tasks', () => {
    const rows = contributions(
      [
        { name: 'first', answers: first },
        { name: 'all', answers: all },
        { name: 'again', answers: first, against: 'first' },
      ],
      tasks,
    );
    expect(rows.map(({ name, against }) => [name, against])).toEqual([
      ['first', undefined],
      ['all', 'first'],
      ['again', 'first'],
    ]);
    expect(rows[0]!.gain).toBeUndefined();
    expect(rows.map(({ vote_1, vote_2 }) => [vote_1, vote_2])).toEqual([
      [0.5 / 3, 0.5],
      [2 / 3, 1],
      [0.5 / 3, 0.5],
    ]);
    // differences of 0, 0.5 and 1: a draw of three tasks has at most 1
    expect(rows[1]!.gain).toMatchObject({ difference: 0.5, low: 0, high: 1 });
    expect(rows[2]!.gain).toMatchObject({ difference: 0, low: 0, high: 0 });
  });

  it('refuses answers to other tasks, and a part to compare with that there is none of', () => {
    expect(() => contributions([{ name: 'x', answers: new Map([['z', [[right]]]]) }], tasks)).toThrow(
      EvaluationError,
    );
    expect(() => contributions([{ name: 'x', answers: first, against: 'y' }], tasks)).toThrow(
      'the part "x" is compared with "y", expected one of x',
    );
  });
});

describe('what parts give over several runs', () => {
  /** A run in which votes solve some of 40 tasks of its own, and scores so many more. */
  const runOf = (votes: number, more: number): Contribution[] => {
    const solved = (count: number) => Array.from({ length: 40 }, (_, i) => Number(i < count));
    const part = (name: string, count: number) => ({
      name,
      vote_1: 0,
      vote_2: count / 40,
      solved: solved(count),
    });
    return [part('votes', votes), { ...part('scores', votes + more), against: 'votes' }];
  };

  it('are means over the runs, and differences of pairs of runs over their tasks', () => {
    const runs = [runOf(10, 8), runOf(20, 6), runOf(12, 10)];
    const [votes, scores] = pooledContributions(runs);
    expect(votes).toEqual({
      name: 'votes',
      vote_1: { mean: 0, std: 0 },
      vote_2: { mean: expect.closeTo(0.35, 12), std: expect.closeTo(Math.sqrt(14 / 1200), 12) },
    });
    const of = (place: number) => runs.map((run) => run[place]!.solved);
    expect(scores!.gain).toEqual(pairedDifference(of(1), of(0), { tasks: 'per-run' }));
    expect(scores!.gain).toMatchObject({ difference: expect.closeTo(0.2, 12) });
    // runs that differ in how much they solve do not widen the interval of what a part adds to them
    expect(scores!.gain!.low).toBeGreaterThan(0.1);
    expect(scores!.gain!.high).toBeLessThan(0.3);
  });

  it('refuses no run, and runs with different parts', () => {
    expect(() => pooledContributions([])).toThrow('expected the parts of at least one run');
    expect(() => pooledContributions([runOf(1, 1), runOf(1, 1).slice(0, 1)])).toThrow(
      'found "votes against none, scores against votes" and "votes against none"',
    );
  });
});
