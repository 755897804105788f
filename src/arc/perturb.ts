/** @file Wrong outputs that look right at first sight, for prompts that judge them. */
import type { Rng } from '../common/rng.js';
import { colorCount, gridKey, turnGrid } from './grid.js';
import type { Grid, Task } from './types.js';

/** Ways in which models are wrong: single cells, a colour, a place, a direction, a size, another rule. */
const mistakes: readonly ((grid: Grid, rng: Rng, task: Task) => Grid)[] = [
  cellsChanged,
  cellsChanged,
  colorConfused,
  shifted,
  (grid, rng) => turnGrid(grid, rng.chance(0.5), rng.int(1, 3)),
  cropped,
  (_, rng, { train, test }) =>
    rng.pick([...train.map(({ output }) => output), ...test.map(({ input }) => input)]),
];

/** One to three cells have another colour. */
function cellsChanged(grid: Grid, rng: Rng): Grid {
  const copy = grid.map((row) => [...row]);
  for (let left = rng.int(1, 3); left > 0; left--) {
    const row = rng.pick(copy);
    const column = rng.int(0, row.length - 1);
    row[column] = (row[column]! + rng.int(1, colorCount - 1)) % colorCount;
  }
  return copy;
}

/** One of its colours is another one throughout. */
function colorConfused(grid: Grid, rng: Rng): Grid {
  const from = rng.pick([...new Set(grid.flat())]);
  const to = (from + rng.int(1, colorCount - 1)) % colorCount;
  return grid.map((row) => row.map((color) => (color === from ? to : color)));
}

/** Every cell is one place further, around the edge. */
function shifted(grid: Grid, rng: Rng): Grid {
  if (rng.chance(0.5)) return [grid.at(-1)!, ...grid.slice(0, -1)];
  return grid.map((row) => [row.at(-1)!, ...row.slice(0, -1)]);
}

/** Without its last row or column. */
function cropped(grid: Grid, rng: Rng): Grid {
  if (rng.chance(0.5)) return grid.length > 1 ? grid.slice(0, -1) : grid;
  return grid[0]!.length > 1 ? grid.map((row) => row.slice(0, -1)) : grid;
}

/**
 * Different grids that are not the output of a test sample, each with a mistake that models make.
 * @param task its samples give outputs of the right kind
 */
export function wrongOutputs(output: Grid, task: Task, count: number, rng: Rng): Grid[] {
  const seen = new Set([gridKey(output)]);
  const found: Grid[] = [];
  while (found.length < count) {
    const grid = rng.pick(mistakes)(output, rng, task);
    if (seen.has(gridKey(grid))) continue;
    seen.add(gridKey(grid));
    found.push(grid);
  }
  return found;
}
