import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gridKey } from '../../src/arc/grid.js';
import type { Grid } from '../../src/arc/types.js';
import { rankCandidates, vote, voteMetrics } from '../../src/evaluation/voting.js';
import { A, B0, B1, prediction, TASKS } from './example.js';

const X: Grid = [[1]];
const Y: Grid = [[2]];
const Z: Grid = [[3]];
const ballot = (grid: Grid | null, logProb: number) => ({ grid, logProb });

describe('ranking', () => {
  test('the most votes win, whatever their log-probability', () => {
    const ranked = rankCandidates([ballot(X, -0.1), ballot(Y, -9), ballot(null, 0), ballot(Y, -7)]);
    expect(ranked).toEqual([
      { grid: Y, votes: 2, meanLogProb: -8 },
      { grid: X, votes: 1, meanLogProb: -0.1 },
    ]);
  });

  test('equal votes: the larger mean log-probability, or the first by count alone', () => {
    const ballots = [ballot(X, -4), ballot(Y, -1), ballot(Y, -5), ballot(X, -3), ballot(Z, -0.1)];
    expect(rankCandidates(ballots, 'count-logprob').map(({ grid }) => grid)).toEqual([Y, X, Z]);
    expect(rankCandidates(ballots, 'count').map(({ grid }) => grid)).toEqual([X, Y, Z]);
  });

  test('equal in everything: the first seen', () => {
    const ballots = [ballot(Z, -1), ballot(X, -1), ballot(Y, -1)];
    expect(rankCandidates(ballots).map(({ grid }) => grid)).toEqual([Z, X, Y]);
    const impossible = [ballot(Y, -Infinity), ballot(X, -Infinity), ballot(Z, -1)];
    expect(rankCandidates(impossible).map(({ grid }) => grid)).toEqual([Z, Y, X]);
  });

  test('grids of different shapes with the same digits are different candidates', () => {
    expect(rankCandidates([ballot([[1, 2]], -1), ballot([[1], [2]], -1)])).toHaveLength(2);
  });

  test('every grid is counted once, and counts never rise', () => {
    const ballots = fc.array(
      fc.record({
        grid: fc.option(fc.constantFrom<Grid>(X, Y, Z, A, B0)),
        logProb: fc.double({ max: 0, noNaN: true }),
      }),
    );
    fc.assert(
      fc.property(ballots, (list) => {
        const ranked = rankCandidates(list);
        const votes = ranked.map((candidate) => candidate.votes);
        expect(votes.reduce((sum, n) => sum + n, 0)).toBe(list.filter(({ grid }) => grid !== null).length);
        expect(votes).toEqual(votes.toSorted((a, b) => b - a));
        expect(new Set(ranked.map(({ grid }) => gridKey(grid))).size).toBe(ranked.length);
      }),
    );
  });
});

describe('a vote over a data set', () => {
  const predictions = [
    // a: A is only second
    prediction('a', 0, X),
    prediction('a', 0, X),
    prediction('a', 0, A),
    // b: the first test input is solved by the first, the second not at all
    prediction('b', 0, B0),
    prediction('b', 1, X),
    prediction('b', 1, null),
  ];

  test('takes the n best of every test input', () => {
    expect([...vote(predictions)]).toEqual([
      ['a', [[X, A]]],
      ['b', [[B0], [X]]],
    ]);
    expect(vote(predictions, { n: 1 }).get('a')).toEqual([[X]]);
  });

  test('vote_1 and vote_2 equal what is computed by hand', () => {
    expect(voteMetrics(predictions, TASKS)).toEqual({ vote_1: (0 + 0.5) / 2, vote_2: (1 + 0.5) / 2 });
    expect(voteMetrics([...predictions, prediction('b', 1, B1, -0.5)], TASKS, { ns: [1] })).toEqual({
      vote_1: 0.5,
    });
  });

  test('a test input without a grid has no winner', () => {
    expect(vote([prediction('b', 1, null)]).get('b')).toEqual([[], []]);
  });
});
