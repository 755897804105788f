import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labelCount, labelsOf, planMicroBatches } from '../../src/training/packing.js';
import type { TrainingSample } from '../../src/training/sample.js';

const sample = (tokens: number[], labelSpans: TrainingSample['labelSpans'], weight = 1): TrainingSample => ({
  index: 0,
  tokens: Int32Array.from(tokens),
  labelSpans,
  kind: 'kind',
  dataset: 'data',
  weight,
});

test('a label is predicted by the row before it, never by a row of another sample', () => {
  const spans = [
    [1, 2],
    [3, 5],
  ] as const;
  const samples = [sample([10, 11, 12, 13, 14], spans), sample([20, 21, 22], [[1, 3]], 0.5)];
  expect(labelsOf(samples)).toEqual({
    rows: Int32Array.of(0, 2, 3, 5, 6),
    labels: Int32Array.of(11, 13, 14, 21, 22),
    weights: Float32Array.of(1, 1, 1, 0.5, 0.5),
  });
  expect(samples.map(labelCount)).toEqual([3, 2]);
});

test('micro-batches hold every sample once and keep to the budget unless one sample alone exceeds it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 2, max: 30 }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 60 }),
      (lengths, budget) => {
        const samples = lengths.map((length) => sample(new Array(length).fill(1), [[1, length]]));
        const groups = planMicroBatches(samples, budget);
        expect(new Set(groups.flat())).toEqual(new Set(samples));
        expect(groups.flat()).toHaveLength(samples.length);
        for (const group of groups) {
          const tokens = group.reduce((sum, { tokens }) => sum + tokens.length, 0);
          expect(group.length === 1 || tokens <= budget).toBe(true);
        }
        // first fit: no two groups could have been one
        const totals = groups.map((group) => group.reduce((sum, { tokens }) => sum + tokens.length, 0));
        totals.sort((a, b) => a - b);
        if (totals.length > 1) expect(totals[0]! + totals[1]!).toBeGreaterThan(budget);
      },
    ),
  );
});
