import { expect, test } from 'vitest';
import { Ranks, RanksError } from '../../../src/tensors/collective/ranks.js';
import { collectivesOf } from './in-process.js';

const ranksOf = (size: number): Ranks[] => collectivesOf(size).map((collective) => new Ranks(collective));

test('the first rank that differs is named, with the fact, on all ranks', async () => {
  const ranks = ranksOf(3);
  const batchSizes = [16, 16, 8];
  const results = await Promise.allSettled(
    ranks.map((one, i) => one.agree({ '`seed`': 1, '`batchSize`': batchSizes[i] })),
  );
  for (const result of results) {
    expect(result).toMatchObject({ status: 'rejected' });
    expect((result as PromiseRejectedResult).reason).toBeInstanceOf(RanksError);
    expect((result as PromiseRejectedResult).reason.message).toBe(
      'rank 2: found `batchSize` 8, expected 16 as on rank 0: all ranks need the same options, data and version',
    );
  }
  await Promise.all(ranks.map((one) => one.agree({ '`seed`': 1 })));
});

test('a rank that has failed takes part with its error: one line on all, without a name where all have it', async () => {
  const ranks = ranksOf(2);
  const say = () => {};
  const [first, second] = await Promise.allSettled([
    ranks[0]!.gather(1),
    ranks[1]!.fail('no such file', { say }),
  ]);
  expect(first).toMatchObject({ status: 'rejected', reason: { message: 'rank 1: no such file' } });
  expect(second).toMatchObject({ status: 'fulfilled', value: 'rank 1: no such file' });
  expect(await Promise.all(ranks.map((one) => one.fail('wrong', { say })))).toEqual(['wrong', 'wrong']);
});

test('what the first computes is known to all, and computed once', async () => {
  const ranks = ranksOf(3);
  let calls = 0;
  const values = await Promise.all(
    ranks.map((one) =>
      one.first(() => {
        calls++;
        return { list: [1, 2] };
      }),
    ),
  );
  expect(values).toEqual([{ list: [1, 2] }, { list: [1, 2] }, { list: [1, 2] }]);
  expect(calls).toBe(1);
  expect(ranks.map((one) => one.share([3, 2, 1, 1]))).toEqual([[0], [1], [2, 3]]);
});
