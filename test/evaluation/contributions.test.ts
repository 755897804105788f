import { describe, expect, it } from 'vitest';
import type { Grid, Task } from '../../src/arc/types.js';
import { contributions } from '../../src/evaluation/contributions.js';
import { EvaluationError } from '../../src/evaluation/errors.js';
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
