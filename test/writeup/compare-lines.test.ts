import fc from 'fast-check';
import { expect, test } from 'vitest';
import { alignLines } from '../../src/writeup/compare-lines.js';

const lists = fc.tuple(fc.array(fc.constantFrom('a', 'b', 'c')), fc.array(fc.constantFrom('a', 'b', 'c')));

test('every line of both lists is in one pair, in order', () => {
  fc.assert(
    fc.property(lists, ([before, after]) => {
      const pairs = alignLines(before, after, (line) => line);
      expect(pairs.map(([line]) => line).filter((line) => line !== undefined)).toEqual(before);
      expect(pairs.map(([, line]) => line).filter((line) => line !== undefined)).toEqual(after);
    }),
  );
});

test('as many pairs as possible are equal', () => {
  /** The length of the longest common subsequence, by its definition. */
  const longest = (a: readonly string[], b: readonly string[]): number => {
    if (a.length === 0 || b.length === 0) return 0;
    if (a[0] === b[0]) return 1 + longest(a.slice(1), b.slice(1));
    return Math.max(longest(a.slice(1), b), longest(a, b.slice(1)));
  };
  const short = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 7 });
  fc.assert(
    fc.property(short, short, (before, after) => {
      const equal = alignLines(before, after, (line) => line).filter(([a, b]) => a === b).length;
      expect(equal).toBeGreaterThanOrEqual(longest(before, after));
    }),
  );
});
