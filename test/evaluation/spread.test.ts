import { expect, test } from 'vitest';
import { formatSpread, overSeeds, spreadOf } from '../../src/evaluation/spread.js';

test('mean and standard deviation, as a person reads them', () => {
  expect(spreadOf([0.1, 0.3])).toEqual({ mean: 0.2, std: expect.closeTo(0.1) });
  expect(formatSpread(spreadOf([0.1, 0.3]))).toBe('20.0 ± 10.0');
  expect(formatSpread({ mean: 1.234, std: 0.01 }, { scale: 1, decimals: 2 })).toBe('1.23 ± 0.01');
});

test('an experiment is repeated once per seed, and each of its numbers summarised', async () => {
  const seen: number[] = [];
  const result = await overSeeds([1, 3], async (seed) => {
    seen.push(seed);
    return { accuracy: seed, loss: 2 };
  });
  expect(seen).toEqual([1, 3]);
  expect(result).toEqual({ accuracy: { mean: 2, std: 1 }, loss: { mean: 2, std: 0 } });
});
