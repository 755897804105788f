import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import {
  accuracyPerAttempt,
  comparisonTable,
  effectOfOutputSize,
  effectOfPredictionCount,
} from '../../src/evaluation/studies.js';
import { A, B0, B1, prediction, TASKS, taskWith } from './example.js';

const wrong = [[9]];

describe('the effect of the number of predictions', () => {
  // one of four predictions is right
  const tasks = new Map([['a', taskWith(A)]]);
  const predictions = [A, wrong, [[8]], [[7]]].map((grid) => prediction('a', 0, grid));

  test('pass_n grows as the share of subsets with the right one: k of 4', () => {
    const rows = effectOfPredictionCount(predictions, tasks, { rng: Rng.of(1), repeats: 2000 });
    expect(rows.map((row) => row.predictions)).toEqual([1, 2, 4]);
    expect(rows[0]!.pass_n.mean).toBeCloseTo(0.25, 1);
    expect(rows[1]!.pass_n.mean).toBeCloseTo(0.5, 1);
    // all of them: nothing is left to chance, and the first of equals wins
    expect(rows[2]).toMatchObject({ pass_n: { mean: 1, std: 0 }, vote_1: { mean: 1, std: 0 } });
    // of a Bernoulli variable
    expect(rows[0]!.pass_n.std).toBeCloseTo(Math.sqrt(0.25 * 0.75), 1);
  });

  test('is the same for the same seed', () => {
    const study = (seed: number) =>
      effectOfPredictionCount(predictions, tasks, { rng: Rng.of(seed), repeats: 5 });
    expect(study(3)).toEqual(study(3));
  });
});

test('the effect of the size of the output', () => {
  const answers = new Map([
    ['a', [[A]]],
    ['b', [[wrong], [B1]]],
  ]);
  const rows = effectOfOutputSize(answers, TASKS, [1, 9]);
  expect(rows.map(({ cells, testInputs, metrics }) => [cells, testInputs, metrics.accuracy])).toEqual([
    ['1-1', 1, 1],
    ['2-9', 2, 0.5],
  ]);
  // nothing is left out behind the last edge
  expect(effectOfOutputSize(answers, TASKS, [1]).map(({ cells, testInputs }) => [cells, testInputs])).toEqual(
    [
      ['1-1', 1],
      ['2+', 2],
    ],
  );
});

test('attempt by attempt', () => {
  const answers = new Map([
    ['a', [[wrong, A]]],
    ['b', [[B0, B0], [wrong]]],
  ]);
  expect(accuracyPerAttempt(answers, TASKS)).toEqual([
    { attempt: 1, accuracy: 0.25, correct_pixels: 0.25, solved_so_far: 0.25 },
    { attempt: 2, accuracy: 0.75, correct_pixels: 0.75, solved_so_far: 0.75 },
  ]);
});

test('several files in one table', () => {
  const predictions = [prediction('a', 0, A)];
  const rows = comparisonTable(
    [
      { source: 'x.json', answers: new Map([['a', [[wrong]]]]) },
      { source: 'y.json', answers: new Map([['a', [[A]]]]), predictions },
    ],
    TASKS,
  );
  expect(rows[0]).toMatchObject({ name: 'x.json', tasks: 2, accuracy: 0 });
  expect(rows[1]).toMatchObject({ name: 'y.json', accuracy: 0.5, vote_1: 0.5, vote_2: 0.5 });
  expect(rows[0]).not.toHaveProperty('vote_1');
});
