/** Consecutive rows of one slot, each seeing one position more than the one before. */
export interface RowRange {
  readonly start: number;
  readonly count: number;
  readonly slot: number;
  /** Positions that the first of them sees. */
  readonly length: number;
}

/**
 * The rows of a call as runs, in order.
 * @param slots of each row
 * @param lengths how many positions each row sees
 * @param most rows of one run
 */
export function rowRanges(
  slots: ArrayLike<number>,
  lengths: ArrayLike<number>,
  most = Number.POSITIVE_INFINITY,
): RowRange[] {
  const runs: RowRange[] = [];
  for (let start = 0; start < slots.length; ) {
    const [slot, length] = [slots[start] as number, lengths[start] as number];
    let count = 1;
    while (
      count < most &&
      start + count < slots.length &&
      slots[start + count] === slot &&
      lengths[start + count] === length + count
    ) {
      count++;
    }
    runs.push({ start, count, slot, length });
    start += count;
  }
  return runs;
}

/** Checks that runs lie inside of a cache [slots, Hkv, maxLength, D]: kernels read where they are told to. */
export function assertInCache(runs: readonly RowRange[], cacheShape: readonly number[]): void {
  const [slotCount, , maxLength] = cacheShape as [number, number, number];
  for (const { slot, length, count } of runs) {
    const last = length + count - 1;
    if (slot < 0 || slot >= slotCount || length < 1 || last > maxLength) {
      throw new Error(
        `cachedAttention: slot ${slot} with ${last} positions is outside of a cache of ${slotCount} slots of ${maxLength}`,
      );
    }
  }
}
