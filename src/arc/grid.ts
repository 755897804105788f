import type { Grid } from './types.js';

/** A grid under construction. */
export type MutableGrid = number[][];

/** Row and column of a cell, counted from the top left. */
export type GridCell = readonly [row: number, column: number];

/** A rectangle of cells. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Connected cells, with their bounding box. */
export interface Component extends Box {
  /** The colour of all of them, or of the first one when colours may mix. */
  readonly color: number;
  /** In reading order of their first cell, otherwise in no particular order. */
  readonly cells: readonly GridCell[];
}

/** The longest side that a grid may have. */
export const maxGridSide = 30;

/** How many colours there are; they are the integers below. */
export const colorCount = 10;

/** [height, width] of a grid. */
export function gridShape(grid: Grid): [height: number, width: number] {
  return [grid.length, grid[0]?.length ?? 0];
}

/** Whether two grids have the same shape and the same colours. */
export function gridsEqual(a: Grid, b: Grid): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let r = 0; r < a.length; r++) {
    const rowA = a[r]!;
    const rowB = b[r]!;
    if (rowA.length !== rowB.length) return false;
    for (let c = 0; c < rowA.length; c++) if (rowA[c] !== rowB[c]) return false;
  }
  return true;
}

/** A string that two grids share exactly when they are equal: the digits of each row, rows split by `|`. */
export function gridKey(grid: Grid): string {
  let key = '';
  for (let r = 0; r < grid.length; r++) key += r === 0 ? grid[r]!.join('') : '|' + grid[r]!.join('');
  return key;
}

/** A grid of one colour. */
export function filledGrid(height: number, width: number, color = 0): MutableGrid {
  return Array.from({ length: height }, () => new Array<number>(width).fill(color));
}

/** A copy that can be painted on. */
export function copyGrid(grid: Grid): MutableGrid {
  return grid.map((row) => row.slice());
}

/** A grid of the same shape whose cells are computed from the old ones. */
export function mapGrid(
  grid: Grid,
  color: (color: number, row: number, column: number) => number,
): MutableGrid {
  return grid.map((row, r) => row.map((old, c) => color(old, r, c)));
}

/** Replaces each colour by `colorMap[colour]`. */
export function recolorGrid(grid: Grid, colorMap: readonly number[]): MutableGrid {
  return grid.map((row) => row.map((color) => colorMap[color]!));
}

/**
 * Flips left to right (when asked), then turns counterclockwise by quarter turns, then recolours (when a map is
 * given), in one pass. Together flip and rotations are the eight symmetries of the square.
 */
export function turnGrid(
  grid: Grid,
  flip: boolean,
  rotations: number,
  colorMap?: readonly number[],
): MutableGrid {
  const [height, width] = gridShape(grid);
  const sideways = rotations % 2 !== 0;
  const reverseRows = rotations === 2 || rotations === 3;
  // a quarter turn mirrors the old columns once, a half turn too; a flip before it mirrors them back
  const reverseColumns = (rotations === 1 || rotations === 2) !== flip;
  const turned: MutableGrid = new Array(sideways ? width : height);
  for (let r = 0; r < turned.length; r++) {
    const row = new Array<number>(sideways ? height : width);
    if (sideways) {
      const column = reverseColumns ? width - 1 - r : r;
      for (let c = 0; c < height; c++) row[c] = grid[reverseRows ? height - 1 - c : c]![column]!;
    } else {
      const old = grid[reverseRows ? height - 1 - r : r]!;
      for (let c = 0; c < width; c++) row[c] = old[reverseColumns ? width - 1 - c : c]!;
    }
    if (colorMap) for (let c = 0; c < row.length; c++) row[c] = colorMap[row[c]!]!;
    turned[r] = row;
  }
  return turned;
}

/** Mirrors left and right. */
export function flipLeftRight(grid: Grid): MutableGrid {
  return turnGrid(grid, true, 0);
}

/** Mirrors top and bottom. */
export function flipUpsideDown(grid: Grid): MutableGrid {
  return turnGrid(grid, true, 2);
}

/** Turns counterclockwise by quarter turns (0 to 3). */
export function rotateGrid(grid: Grid, rotations: number): MutableGrid {
  return turnGrid(grid, false, rotations);
}

/** Swaps rows and columns. */
export function transposeGrid(grid: Grid): MutableGrid {
  return turnGrid(grid, true, 1);
}

/** The cells of a rectangle that lies inside the grid. */
export function cropGrid(grid: Grid, { top, left, height, width }: Box): MutableGrid {
  return grid.slice(top, top + height).map((row) => row.slice(left, left + width));
}

/** Makes each cell a block of `rows` × `columns` cells. */
export function upscaleGrid(grid: Grid, rows: number, columns: number): MutableGrid {
  const [height, width] = gridShape(grid);
  return Array.from({ length: height * rows }, (_, r) => {
    const old = grid[Math.floor(r / rows)]!;
    return Array.from({ length: width * columns }, (_, c) => old[Math.floor(c / columns)]!);
  });
}

/** How much to add at each side of a grid. */
export interface Margins {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** Adds cells of one colour around a grid. */
export function padGrid(grid: Grid, margins: Margins, color: number): MutableGrid {
  const [height, width] = gridShape(grid);
  const padded = filledGrid(
    height + margins.top + margins.bottom,
    width + margins.left + margins.right,
    color,
  );
  pasteGrid(padded, grid, margins.top, margins.left);
  return padded;
}

/** Paints a grid onto another one; what lies outside is cut off, and so is `transparent` when given. */
export function pasteGrid(
  target: MutableGrid,
  grid: Grid,
  top: number,
  left: number,
  transparent = -1,
): void {
  const [height, width] = gridShape(target);
  for (let r = 0; r < grid.length; r++) {
    if (top + r < 0 || top + r >= height) continue;
    const row = grid[r]!;
    for (let c = 0; c < row.length; c++) {
      if (left + c >= 0 && left + c < width && row[c] !== transparent) target[top + r]![left + c] = row[c]!;
    }
  }
}

/** Puts grids beside each other; all have the same height. */
export function joinColumns(...grids: readonly Grid[]): MutableGrid {
  return grids[0]!.map((_, r) => grids.flatMap((grid) => grid[r]!));
}

/** Puts grids below each other; all have the same width. */
export function joinRows(...grids: readonly Grid[]): MutableGrid {
  return grids.flatMap((grid) => grid.map((row) => row.slice()));
}

/** How many cells have each of the colours 0 to 9. */
export function colorCounts(grid: Grid): number[] {
  const counts = new Array<number>(colorCount).fill(0);
  for (const row of grid) for (const color of row) counts[color]!++;
  return counts;
}

/** The smallest rectangle around all cells that differ from the background, or null when there are none. */
export function contentBox(grid: Grid, background = 0): Box | null {
  let top = Infinity;
  let left = Infinity;
  let bottom = -1;
  let right = -1;
  grid.forEach((row, r) => {
    row.forEach((color, c) => {
      if (color === background) return;
      top = Math.min(top, r);
      bottom = r;
      left = Math.min(left, c);
      right = Math.max(right, c);
    });
  });
  return bottom < 0 ? null : { top, left, height: bottom - top + 1, width: right - left + 1 };
}

/** Which cells are connected. */
export interface ComponentOptions {
  /** Cells that touch only at a corner are connected too. Off by default. */
  readonly diagonal?: boolean;
  /** The colour that belongs to no component; -1 for none. 0 by default. */
  readonly background?: number;
  /** Neighbours of different colours are connected too. Off by default. */
  readonly mixColors?: boolean;
}

const straight = [-1, 0, 1, 0, 0, -1, 0, 1];
const everyWay = [...straight, -1, -1, -1, 1, 1, -1, 1, 1];

/** The connected parts of a grid, in reading order of their first cell. */
export function connectedComponents(
  grid: Grid,
  { diagonal = false, background = 0, mixColors = false }: ComponentOptions = {},
): Component[] {
  const [height, width] = gridShape(grid);
  const seen = new Uint8Array(height * width);
  const steps = diagonal ? everyWay : straight;
  const components: Component[] = [];
  for (let start = 0; start < seen.length; start++) {
    const color = grid[Math.floor(start / width)]![start % width]!;
    if (seen[start] || color === background) continue;
    seen[start] = 1;
    const queue = [start];
    const cells: GridCell[] = [];
    let [top, left, bottom, right] = [height, width, 0, 0];
    for (let i = 0; i < queue.length; i++) {
      const row = Math.floor(queue[i]! / width);
      const column = queue[i]! % width;
      cells.push([row, column]);
      if (row < top) top = row;
      if (row > bottom) bottom = row;
      if (column < left) left = column;
      if (column > right) right = column;
      for (let s = 0; s < steps.length; s += 2) {
        const r = row + steps[s]!;
        const c = column + steps[s + 1]!;
        if (r < 0 || r >= height || c < 0 || c >= width || seen[r * width + c]) continue;
        const neighbour = grid[r]![c]!;
        if (neighbour === background || (!mixColors && neighbour !== color)) continue;
        seen[r * width + c] = 1;
        queue.push(r * width + c);
      }
    }
    components.push({ color, cells, top, left, height: bottom - top + 1, width: right - left + 1 });
  }
  return components;
}
