import { describe, expect, test } from 'vitest';
import { compareResults, describeComparison } from '../../src/evaluation/compare.js';
import { answersOf, type Results } from '../../src/evaluation/files.js';
import type { Prediction } from '../../src/evaluation/types.js';
import { A, B0, B1, prediction } from './example.js';

const detailed = (source: string, predictions: Prediction[]): Results => ({
  source,
  answers: answersOf(predictions),
  predictions,
});
const plain = ({ source, answers }: Results): Results => ({ source, answers });

const base = [
  prediction('a', 0, A),
  prediction('a', 0, null),
  prediction('b', 0, B0),
  prediction('b', 1, B1),
];
const before = detailed('before.json', base);

/** The reasons for a list in which one prediction was replaced. */
function reasonsAfter(i: number, change: Partial<Prediction>): readonly string[] {
  const after = detailed('after.json', base.with(i, { ...base[i]!, ...change }));
  return compareResults(before, after).differences.flatMap(({ reasons }) => reasons);
}

describe('compare', () => {
  test('a file equals itself, also as attempts against the detailed list', () => {
    const same = compareResults(before, detailed('after.json', base));
    expect(same).toEqual({ identical: true, tasks: 2, differences: [] });
    expect(describeComparison(same)).toBe('identical: 2 tasks');
    expect(compareResults(before, plain(before)).identical).toBe(true);
  });

  test('finds every kind of difference and says where', () => {
    expect(reasonsAfter(0, { grid: [[1, 2], [3, 5]] })).toEqual([
      'test input 0: 1 of 2 attempts differs (first: attempt_1, 1 of 4 cells)',
    ]); // biome-ignore format: short
    expect(reasonsAfter(0, { grid: B1 })[0]).toContain('attempt_1, size 2x2 against 1x1');
    expect(reasonsAfter(0, { grid: null })[0]).toContain('attempt_1, second unanswered');
    expect(reasonsAfter(1, { grid: A })[0]).toContain('attempt_2, first unanswered');
    expect(reasonsAfter(3, { text: 'other' })).toEqual(['test input 1: same grids, but 1 of 1 texts differ']);
    expect(reasonsAfter(3, { logProb: -1.5 })[0]).toContain('log-probabilities differ by up to 0.500');
    expect(reasonsAfter(3, { logProb: -1.0001 })).toEqual([]);
    // that another text has another log-probability needs no words
    expect(reasonsAfter(3, { text: 'other', logProb: -9 })).toHaveLength(1);
  });

  test('finds missing tasks, test inputs and attempts', () => {
    const reasons = (list: Prediction[]) =>
      compareResults(before, detailed('after.json', list)).differences.map((d) => [d.taskId, ...d.reasons]);
    expect(reasons(base.slice(0, 2))).toEqual([['b', 'only in before.json']]);
    expect(reasons(base.slice(0, 3))).toEqual([['b', '2 test inputs against 1']]);
    expect(reasons(base.slice(1))).toEqual([['a', 'test input 0: 2 attempts against 1']]);
  });

  test('a long list is cut', () => {
    const comparison = compareResults(before, detailed('after.json', []));
    expect(describeComparison(comparison, 1)).toBe(
      'different: 2 of 2 tasks\n  a: only in before.json\n  and 1 more task',
    );
  });
});
