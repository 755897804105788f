import fc from 'fast-check';
import { expect, test } from 'vitest';
import { balance } from '../../src/common/balance.js';

test('the most expensive first, each to the part that has least so far', () => {
  expect(balance([5, 1, 4, 3], 2)).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(balance([2, 2], 3)).toEqual([[0], [1], []]);
});

test('every item is in one part, and no part has more than the mean and the largest item', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 1000 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 9 }),
      (costs, parts) => {
        const split = balance(costs, parts);
        expect(split).toHaveLength(parts);
        expect(split.flat().sort((a, b) => a - b)).toEqual([...costs.keys()]);
        const loads = split.map((items) => items.reduce((sum, i) => sum + costs[i]!, 0));
        const mean = costs.reduce((sum, cost) => sum + cost, 0) / parts;
        expect(Math.max(...loads)).toBeLessThanOrEqual(mean + Math.max(0, ...costs));
        // as many samples as parts leave none without one
        if (costs.length >= parts) expect(Math.min(...split.map(({ length }) => length))).toBeGreaterThan(0);
      },
    ),
  );
});
