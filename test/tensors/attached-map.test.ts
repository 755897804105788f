import { expect, it } from 'vitest';
import { AttachedMap } from '../../src/tensors/attached-map.js';

it('is a map by objects, of which several may hold a value each', () => {
  const [one, two] = [new AttachedMap<{ n: number }>(), new AttachedMap<{ n: number }>()];
  const [a, b] = [{}, {}];
  one.set(a, { n: 1 }).set(b, { n: 2 }).set(a, { n: 3 });
  two.set(a, { n: 4 });
  expect([one.get(a), one.get(b), two.get(a), two.get(b)]).toEqual([{ n: 3 }, { n: 2 }, { n: 4 }, undefined]);
  expect([one.size, two.size]).toEqual([2, 1]);
  expect([one.delete(a), one.delete(a), one.has(a), two.has(a), one.size]).toEqual([
    true,
    false,
    false,
    true,
    1,
  ]);
  expect(Object.keys(a)).toEqual([]);
});
