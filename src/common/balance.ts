/**
 * Splits items into parts of nearly the same cost: the most expensive first, each to the part that has least so far
 * (Graham 1969: never more than a third above the best split). A function of the costs alone.
 * @returns the indices of each part, ascending
 */
export function balance(costs: readonly number[], parts: number): number[][] {
  const loads = new Array<number>(parts).fill(0);
  const result: number[][] = loads.map(() => []);
  const order = [...costs.keys()].sort((a, b) => costs[b]! - costs[a]! || a - b);
  for (const item of order) {
    const least = loads.indexOf(Math.min(...loads));
    loads[least]! += costs[item]!;
    result[least]!.push(item);
  }
  for (const items of result) items.sort((a, b) => a - b);
  return result;
}
