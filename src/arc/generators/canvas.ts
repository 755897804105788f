import { type Box, type GridCell, gridShape, type MutableGrid } from '../grid.js';
import type { Grid } from '../types.js';

/** One step in a direction: rows down, columns to the right. */
export type Direction = readonly [down: number, right: number];

/** The four straight directions: up, right, down, left. */
export const straightSteps: readonly Direction[] = [
  [-1, 0],
  [0, 1],
  [1, 0],
  [0, -1],
];

/** The four diagonal directions. */
export const diagonalSteps: readonly Direction[] = [
  [-1, -1],
  [-1, 1],
  [1, 1],
  [1, -1],
];

/** Whether a cell lies in the grid. */
export function contains(grid: Grid, row: number, column: number): boolean {
  return row >= 0 && row < grid.length && column >= 0 && column < grid[0]!.length;
}

/** Colours cells; those outside the grid are ignored. */
export function paint(grid: MutableGrid, cells: Iterable<GridCell>, color: number): void {
  for (const [r, c] of cells) if (contains(grid, r, c)) grid[r]![c] = color;
}

/** Colours a rectangle; what lies outside the grid is ignored. */
export function paintBox(grid: MutableGrid, { top, left, height, width }: Box, color: number): void {
  for (let r = top; r < top + height; r++) {
    for (let c = left; c < left + width; c++) if (contains(grid, r, c)) grid[r]![c] = color;
  }
}

/** Colours the border cells of a rectangle. */
export function paintFrame(grid: MutableGrid, { top, left, height, width }: Box, color: number): void {
  paintBox(grid, { top, left, height: 1, width }, color);
  paintBox(grid, { top: top + height - 1, left, height: 1, width }, color);
  paintBox(grid, { top, left, height, width: 1 }, color);
  paintBox(grid, { top, left: left + width - 1, height, width: 1 }, color);
}

/** Whether a rectangle, as far as it lies in the grid, has only background. */
export function isEmpty(grid: Grid, top: number, left: number, height: number, width: number): boolean {
  const bottom = Math.min(grid.length, top + height);
  const right = Math.min(grid[0]!.length, left + width);
  for (let r = Math.max(0, top); r < bottom; r++) {
    for (let c = Math.max(0, left); c < right; c++) if (grid[r]![c] !== 0) return false;
  }
  return true;
}

/** Shifts cells so that they start at row 0 and column 0. */
export function normalize(cells: readonly GridCell[]): GridCell[] {
  const top = Math.min(...cells.map(([r]) => r));
  const left = Math.min(...cells.map(([, c]) => c));
  return cells.map(([r, c]) => [r - top, c - left]);
}

/** Draws from the cell after `from` in a direction up to the edge, or up to the first cell that `stop` names. */
export function paintRay(
  grid: MutableGrid,
  from: GridCell,
  [down, right]: Direction,
  color: number,
  stop: (color: number) => boolean = () => false,
): void {
  let [r, c] = [from[0] + down, from[1] + right];
  while (contains(grid, r, c) && !stop(grid[r]![c]!)) {
    grid[r]![c] = color;
    r += down;
    c += right;
  }
}

/** All cells of a colour, in reading order. */
export function cellsOf(grid: Grid, color: number): GridCell[] {
  const cells: GridCell[] = [];
  grid.forEach((row, r) => {
    row.forEach((value, c) => {
      if (value === color) cells.push([r, c]);
    });
  });
  return cells;
}

/** The background cells that no path of background connects with the edge. */
export function enclosedCells(grid: Grid): GridCell[] {
  const [height, width] = gridShape(grid);
  const outside = new Uint8Array(height * width);
  const queue: GridCell[] = [];
  const visit = (r: number, c: number) => {
    if (!contains(grid, r, c) || grid[r]![c] !== 0 || outside[r * width + c]) return;
    outside[r * width + c] = 1;
    queue.push([r, c]);
  };
  for (let r = 0; r < height; r++) for (const c of [0, width - 1]) visit(r, c);
  for (let c = 0; c < width; c++) for (const r of [0, height - 1]) visit(r, c);
  for (let i = 0; i < queue.length; i++) {
    for (const [down, right] of straightSteps) visit(queue[i]![0] + down, queue[i]![1] + right);
  }
  return cellsOf(grid, 0).filter(([r, c]) => !outside[r * width + c]);
}

/** Whether no two rectangles share a cell. */
export function apart(boxes: readonly Box[]): boolean {
  return boxes.every((a, i) =>
    boxes
      .slice(i + 1)
      .every(
        (b) =>
          a.top + a.height <= b.top ||
          b.top + b.height <= a.top ||
          a.left + a.width <= b.left ||
          b.left + b.width <= a.left,
      ),
  );
}

/** Whether a component reaches the edge of the grid. */
export function touchesEdge(grid: Grid, { top, left, height, width }: Box): boolean {
  const [gridHeight, gridWidth] = gridShape(grid);
  return top === 0 || left === 0 || top + height === gridHeight || left + width === gridWidth;
}
