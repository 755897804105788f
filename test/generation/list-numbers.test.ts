import { expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { ListNumbers } from '../../src/generation/list-numbers.js';

it('numbers equal lists alike and others apart, also of one hash', () => {
  const numbers = new ListNumbers();
  const rng = Rng.of(5, 'lists');
  const lists = Array.from({ length: 500 }, () => Array.from({ length: rng.int(0, 4) }, () => rng.int(0, 3)));
  const byText = new Map<string, number>();
  for (const list of lists) {
    const number = numbers.of([...list]);
    expect(byText.get(list.join()) ?? byText.size).toBe(number);
    byText.set(list.join(), number);
  }
  // (2 ^ 0) · p ^ p = (2 ^ 1) · p ^ (3 · p ^ 2 · p ^ p): the same hash by construction
  const p = 0x01000193;
  const same = [0, p];
  const other = [1, (Math.imul(3, p) ^ Math.imul(2, p) ^ p) | 0];
  expect(numbers.of(same)).not.toBe(numbers.of(other));
  expect(numbers.of(same)).toBe(numbers.of([...same]));
});
