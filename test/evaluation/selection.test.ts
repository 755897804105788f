import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grid } from '../../src/arc/types.js';
import {
  type Ballot,
  evidenceOf,
  LOG_PROB_ERROR,
  rankEvidence,
  SELECTION_RULES,
  type SelectionRuleName,
} from '../../src/evaluation/selection.js';
import { studySelection } from '../../src/evaluation/selection-study.js';
import { vote } from '../../src/evaluation/voting.js';
import { A, B0, B1, prediction, TASKS } from './example.js';

const X: Grid = [[1]];
const Y: Grid = [[2]];
const Z: Grid = [[3]];

const ranked = (ballots: readonly Ballot[], rule: SelectionRuleName) =>
  rankEvidence(evidenceOf(ballots), rule).map(({ grid }) => grid);
const ballot = (
  grid: Grid | null,
  scores: readonly (number | null)[],
  more: Partial<Ballot> = {},
): Ballot => ({
  ...{ grid, scores, logProb: -1, tokens: 4 },
  ...more,
});

describe('the rules', () => {
  // found by 1, 2 and 1 predictions; X wins where it is best, Y nowhere by far, Z is steady
  const ballots: Ballot[] = [
    ballot(X, [-0.1, -9], { logProb: -0.5, ownLogProb: -0.2, tokens: 2 }),
    ballot(Y, [-4, -3.6], { logProb: -3, ownLogProb: -0.1, tokens: 20 }),
    ballot(null, []),
    ballot(Z, [-2, -2.4], { logProb: -2, ownLogProb: -3, tokens: 4 }),
    ballot(Y, [-4, -3.6], { logProb: -5, ownLogProb: -7, tokens: 20 }),
  ];
  test.each<[SelectionRuleName, Grid[]]>([
    ['count', [Y, X, Z]],
    ['count-logprob', [Y, X, Z]],
    // sums −9.1, −7.6, −4.4
    ['sum-logprob', [Z, Y, X]],
    // 1 − 4.55, 2 − 3.8, 1 − 2.2
    ['views+mean', [Z, Y, X]],
    ['max', [X, Z, Y]],
    ['min', [Z, Y, X]],
    // −2.275, −0.19, −0.55
    ['mean-per-token', [Y, Z, X]],
    // −0.2, −0.1, −3
    ['own-score', [Y, X, Z]],
  ])('%s', (rule, order) => {
    expect(ranked(ballots, rule)).toEqual(order);
  });

  test('a view without a score counts as the mean of the others, a grid without any comes last', () => {
    expect(
      ranked([ballot(X, [null, null]), ballot(Y, [-3, null]), ballot(Z, [-2, -5])], 'sum-logprob'),
    ).toEqual([Y, Z, X]);
  });

  test('lists of several scorings are kept apart, and their means are averaged', () => {
    // two pools of different models: X was scored by both
    const joined = [
      ballot(X, [-1, -1]),
      ballot(X, [-1, -1]),
      ballot(X, [-5, -5, -5, -5]),
      ballot(Y, [-2.9, -2.9, -2.9, -2.9]),
      ballot(Z, [-3.1, -3.1]),
    ];
    expect(evidenceOf(joined)[0]!.scores).toEqual([
      [-1, -1],
      [-5, -5, -5, -5],
    ]);
    expect(ranked(joined, 'sum-logprob')).toEqual([Y, X, Z]);
  });
});

describe('differences within the error of a log-probability', () => {
  const inside = 0.9 * LOG_PROB_ERROR;
  const outside = 1.1 * LOG_PROB_ERROR;

  test('are ties, which the count decides, and then which came first', () => {
    const one = (shift: number) => [ballot(X, [-1 - shift]), ballot(Y, [-1]), ballot(Z, [-2])];
    expect(ranked(one(inside), 'sum-logprob')).toEqual([X, Y, Z]);
    expect(ranked(one(outside), 'sum-logprob')).toEqual([Y, X, Z]);
    const counted = (shift: number) => [
      ballot(X, [-1]),
      ballot(Y, [-1 - shift]),
      ballot(Z, [-2]),
      ballot(Y, [-1 - shift]),
    ];
    expect(ranked(counted(inside), 'sum-logprob')).toEqual([Y, X, Z]);
    expect(ranked(counted(outside), 'sum-logprob')).toEqual([X, Y, Z]);
  });

  test('do not add up: each is compared with the best that is left', () => {
    const chain = [0, inside, 2 * inside].map((shift, i) => ballot([X, Y, Z][i]!, [-1 - shift]));
    // Z is as good as Y, but not as X
    expect(ranked(chain.toReversed(), 'max')).toEqual([Y, X, Z]);
  });

  test('a sum over many views has the error of one: the same answer in another company stays where it is', () => {
    const scores = Array.from({ length: 16 }, (_, i) => -1 - i);
    const shifted = scores.map((score) => score + inside);
    expect(ranked([ballot(X, scores), ballot(Y, shifted)], 'sum-logprob')).toEqual([X, Y]);
  });

  test('no rule changes its order when all log-probabilities move by less', () => {
    // values far apart or equal, so that the error decides nothing but ties
    const scores = fc.array(fc.integer({ min: -9, max: 0 }), { minLength: 3, maxLength: 3 });
    const noise = fc.array(fc.double({ min: -0.4, max: 0.4, noNaN: true }), { minLength: 3, maxLength: 3 });
    const pool = fc.array(fc.record({ grid: fc.constantFrom(X, Y, Z, A, B0), scores, noise }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(pool, fc.constantFrom(...SELECTION_RULES), (list, rule) => {
        // a grid has one list of scores
        const first = new Map(list.toReversed().map((entry) => [entry.grid, entry]));
        const ballots = (share: number) =>
          list.map(({ grid }) => {
            const { scores: own, noise: moved } = first.get(grid)!;
            const noisy = own.map((score, i) => score + share * LOG_PROB_ERROR * moved[i]!);
            return ballot(grid, noisy, { logProb: noisy[0]!, tokens: 1 });
          });
        expect(ranked(ballots(1), rule)).toEqual(ranked(ballots(0), rule));
      }),
    );
  });
});

describe('a study of a pool', () => {
  const scored = (taskId: string, testIndex: number, grid: Grid | null, scores: number[]) => ({
    ...prediction(taskId, testIndex, grid),
    ...(grid ? { scores } : {}),
  });
  const pool = [
    // a: three others have more votes than A, which the scores put first
    ...[X, X, Y, Y, Z, Z].map((grid) => scored('a', 0, grid, [-5, -6])),
    scored('a', 0, A, [-1, -1]),
    // b: the first test input is right at once, the solution of the second is not in the pool
    scored('b', 0, B0, [-1, -2]),
    scored('b', 0, X, [-3, -4]),
    scored('b', 1, Y, [-1, -1]),
    scored('b', 1, null, []),
  ];

  test('says what each rule solves, and what is lost between pool and attempts', () => {
    const study = studySelection(pool, TASKS, { repeats: 500 });
    expect([study.tasks, study.testInputs, study.withoutCandidates]).toEqual([2, 3, 0]);
    expect(study.candidates).toBeCloseTo((4 + 2 + 1) / 3, 12);
    expect([study.inPool, study.inPoolAny, study.inPoolEvery]).toEqual([0.75, 1, 0.5]);
    expect(study.left).toEqual([]);
    expect(study.reference).toBe('count-logprob');
    const row = (name: SelectionRuleName) => study.rules.find(({ rule }) => rule === name)!;
    const counted = row('count-logprob');
    expect([counted.solved_1, counted.solved_2, counted.lost]).toEqual([0.25, 0.25, 0.5]);
    // places 4 and 1
    expect(counted.meanRank).toBe(2.5);
    expect(counted.solvedBy).toEqual([0.25, 0.25, 0.25, 0.75]);
    expect(counted.difference).toBeUndefined();
    const summed = row('sum-logprob');
    expect([summed.solved_1, summed.solved_2, summed.lost, summed.meanRank]).toEqual([0.75, 0.75, 0, 1]);
    // task a gives 1, task b 0
    expect(summed.difference).toMatchObject({ difference: 0.5, low: 0, high: 1 });
  });

  test('leaves out rules that need scores, and says how to make them', () => {
    const plain = pool.map(({ scores: _, ...rest }) => rest);
    const { rules, left } = studySelection(plain, TASKS, { repeats: 10, source: 'pool.json' });
    expect(rules.map(({ rule }) => rule)).toEqual(['count', 'count-logprob', 'own-score']);
    expect(left.map(({ rule }) => rule)).toEqual([
      'sum-logprob',
      'views+mean',
      'max',
      'min',
      'mean-per-token',
    ]);
    expect(left[0]!.reason).toMatch(/pool\.json: rule sum-logprob .* 10 of 10 grids lack: .* arclab score /);
    expect(() => studySelection(plain, TASKS, { rules: ['min'] })).toThrow(/rule min compares scores/);
  });

  test('refuses a pool of another data set, and a reference that is not replayed', () => {
    expect(() => studySelection([prediction('c', 0, X)], TASKS)).toThrow(/task "c" is not in the data set/);
    expect(() => studySelection(pool, TASKS, { rules: ['max'], reference: 'min' })).toThrow(
      '`reference: min`: is not among the rules max',
    );
  });

  test('a vote takes any rule, and without one the product over the views where all are scored', () => {
    expect(vote(pool, { n: 1 }).get('a')).toEqual([[A]]);
    expect(vote([...pool, prediction('b', 1, Z)], { n: 1 }).get('a')).toEqual([[X]]);
    expect(vote(pool, { n: 1, method: 'sum-logprob' }).get('a')).toEqual([[A]]);
    expect(vote(pool, { n: 1, method: 'count' }).get('a')).toEqual([[X]]);
    expect(vote(pool, { n: 1, method: 'min' }).get('b')).toEqual([[B0], [Y]]);
    expect(B1).not.toEqual(Y);
  });
});
