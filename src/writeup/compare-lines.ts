/** Pairs of lines that stand for each other; `undefined` where a line has no counterpart. */
export type LinePair<T> = readonly [T | undefined, T | undefined];

/** Above this many comparisons, lines are paired by their position instead. */
const MOST_COMPARISONS = 4_000_000;

/**
 * Pairs two lists so that as many pairs as possible have the same key, in order (the longest common subsequence).
 * What lies between two such pairs has no counterpart with its key: it is paired by position.
 */
export function alignLines<T>(
  before: readonly T[],
  after: readonly T[],
  key: (line: T) => string,
): LinePair<T>[] {
  const a = before.map(key);
  const b = after.map(key);
  const pairs: LinePair<T>[] = [];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) {
    pairs.push([before[start], after[start]]);
    start++;
  }
  let common = 0;
  while (common < Math.min(a.length, b.length) - start && a.at(-1 - common) === b.at(-1 - common)) common++;
  const [endA, endB] = [a.length - common, b.length - common];

  let [i, j] = [start, start];
  for (const [nextA, nextB] of [...commonSubsequence(a, b, start, endA, endB), [endA, endB] as const]) {
    for (; i < nextA || j < nextB; i++, j++) {
      pairs.push([i < nextA ? before[i] : undefined, j < nextB ? after[j] : undefined]);
    }
    if (nextA < endA) pairs.push([before[nextA], after[nextB]]);
    [i, j] = [nextA + 1, nextB + 1];
  }
  for (let k = 0; k < common; k++) pairs.push([before[endA + k], after[endB + k]]);
  return pairs;
}

/** Positions of a longest common subsequence of `a[start..endA]` and `b[start..endB]`. */
function commonSubsequence(
  a: readonly string[],
  b: readonly string[],
  start: number,
  endA: number,
  endB: number,
): [number, number][] {
  const [rows, columns] = [endA - start, endB - start];
  if (rows * columns > MOST_COMPARISONS) return [];
  // lengths[i][j]: of the longest for what follows row i and column j
  const width = columns + 1;
  const lengths = new Uint32Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      lengths[i * width + j] =
        a[start + i] === b[start + j]
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  const positions: [number, number][] = [];
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (a[start + i] === b[start + j]) positions.push([start + i++, start + j++]);
    else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) i++;
    else j++;
  }
  return positions;
}
