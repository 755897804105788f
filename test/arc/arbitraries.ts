import fc from 'fast-check';
import type { Grid, Task } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';

/** Any grid up to a side length. */
export function grids(longest = 30): fc.Arbitrary<Grid> {
  const side = fc.integer({ min: 1, max: longest });
  return fc.tuple(side, side).chain(([height, width]) => {
    const row = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: width, maxLength: width });
    return fc.array(row, { minLength: height, maxLength: height });
  });
}

/** Any generator of random numbers. */
export const rngs = fc.integer().map((seed) => Rng.of(seed, 'test'));

/** Any task; outputs of some test inputs are unknown. */
export function tasks(longest = 8): fc.Arbitrary<Task> {
  const grid = grids(longest);
  return fc.record({
    train: fc.array(fc.record({ input: grid, output: grid }), { minLength: 1, maxLength: 5 }),
    test: fc.array(fc.record({ input: grid, output: grid }, { requiredKeys: ['input'] }), { maxLength: 3 }),
  });
}
