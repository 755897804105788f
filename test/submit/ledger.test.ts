/** What a submission keeps of predictions and searches, and what it selects of it. */
import { expect, test } from 'vitest';
import { identityAugmentation } from '../../src/arc/augmentation.js';
import type { Grid, Task } from '../../src/arc/types.js';
import type { Prediction } from '../../src/evaluation/types.js';
import { SubmitLedger } from '../../src/submit/ledger.js';

const task: Task = { train: [{ input: [[1]], output: [[2]] }], test: [{ input: [[3]] }] };
const tasks = new Map([
  ['a', task],
  ['b', task],
]);
const [first, second, third]: Grid[] = [[[1]], [[2]], [[3]]];
const flipped = { ...identityAugmentation, flip: true };
const says = (taskId: string, grid: Grid | null, logProb: number, augmentation = identityAugmentation) =>
  ({ taskId, testIndex: 0, grid, logProb, tokens: 3, augmentation }) as Prediction;
const at = (taskId: string, i: number) => ({ taskId, testIndex: 0, i });
const ledgerOf = (method?: 'count' | 'sum-logprob') => new SubmitLedger(tasks, 'nowhere', method, () => {});

/** Two predictions and a search for `a`, two predictions for `b`. */
function filled(ledger: SubmitLedger): SubmitLedger {
  ledger.add(at('a', 2), {
    predictions: [says('a', first!, -0.1), says('a', second!, -1), says('a', second!, -2, flipped)],
    scored: [
      { grid: first!, scores: [-0.1, -9], tokens: 4 },
      { grid: second!, scores: [-1, -2], tokens: 4 },
      { grid: third!, scores: [null, null], tokens: 0 },
    ],
  });
  ledger.add(at('a', 0), { predictions: [says('a', first!, -0.1)] });
  ledger.add(at('a', 1), { predictions: [says('a', third!, -5, flipped)] });
  ledger.add(at('b', 1), { predictions: [says('b', second!, -2, flipped)] });
  ledger.add(at('b', 0), { predictions: [says('b', first!, -1)] });
  return ledger;
}

test('all predictions for a test input have the scores of its search, and those found twice are one', () => {
  const ledger = filled(ledgerOf());
  expect(ledger.count).toBe(5);
  expect(
    ledger.predictions().map(({ taskId, grid, logProb, ownLogProb }) => [taskId, grid, logProb, ownLogProb]),
  ).toEqual([
    ['a', first, (-0.1 - 9) / 2, -0.1],
    // no prompt fits with it: it keeps what generation said
    ['a', third, -5, undefined],
    ['a', second, -1.5, -1],
    ['a', second, -1.5, -2],
    ['b', first, -1, undefined],
    ['b', second, -2, undefined],
  ]);
  expect(ledger.knownGrids(at('a', 2))).toEqual([first, third]);
  expect(ledger.knownGrids(at('a', 1))).toEqual([first]);
  expect(ledger.unanswered()).toEqual([]);
});

test('each test input is ranked by the rule, or by one that needs no scores where it has none', () => {
  const best = (ledger: SubmitLedger, taskId: string) =>
    filled(ledger).answers().get(taskId)![0]!.slice(0, 2);
  for (const ledger of [ledgerOf(), ledgerOf('sum-logprob')]) {
    expect(best(ledger, 'a')).toEqual([second, first]);
    expect(best(ledger, 'b')).toEqual([first, second]);
  }
  const counted = filled(ledgerOf('count')).ranking().get('a')![0]!;
  expect(counted.map(({ votes }) => votes)).toEqual([2, 1, 1]);
});
