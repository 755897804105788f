import type { Rng } from '../../common/rng.js';
import { type Box, type Component, filledGrid, type GridCell, gridShape, type MutableGrid } from '../grid.js';
import { isEmpty, normalize, paint } from './canvas.js';
import type { Knobs } from './knobs.js';

/** What {@link Draw.objects} draws. */
export interface ObjectOptions {
  /** The fewest that will do; 2 by default. How many are drawn lies between this and the knob. */
  readonly least?: number;
  /** Never more than this. */
  readonly most?: number;
  /** Cells of each, at least and at most; by default 2 to 5. */
  readonly cells?: readonly [number, number];
  /** The colour of each; by default one of the palette. */
  readonly color?: (index: number) => number;
  /** No two have the same number of cells. */
  readonly differentSizes?: boolean;
  /** Filled rectangles instead of random shapes; `cells` is then not used. */
  readonly rectangles?: boolean;
  /** Keep one cell away from the edge of the grid. */
  readonly inside?: boolean;
}

/** Random things for task generators, within the limits of the knobs. One exists for each task. */
export class Draw {
  /** The task's colours besides the background, in random order; as many as the knob says. */
  readonly palette: readonly number[];
  readonly #allColors: readonly number[];

  constructor(
    readonly rng: Rng,
    readonly knobs: Knobs,
  ) {
    this.#allColors = rng.shuffle([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    this.palette = this.#allColors.slice(0, Math.max(1, Math.min(9, knobs.colors)));
  }

  /** Different colours besides the background, in random order; all are of the palette if it has as many. */
  colors(count: number): number[] {
    const longer = Math.max(count, this.palette.length);
    return this.rng.sample(this.#allColors.slice(0, longer), count);
  }

  /** A colour that is not of the palette, the same whenever asked; one of it when that has all nine. */
  otherColor(): number {
    return this.#allColors[Math.min(this.palette.length, this.#allColors.length - 1)]!;
  }

  /** One colour of the palette. */
  color(): number {
    return this.rng.pick(this.palette);
  }

  /** A side length from `low` to `high`, kept within the knobs. */
  side(low = 1, high = this.knobs.maxSize): number {
    const top = Math.min(high, this.knobs.maxSize);
    return this.rng.int(Math.min(top, Math.max(low, this.knobs.minSize)), top);
  }

  /** A number of things: from `low` up to the objects knob and `high`. */
  count(low: number, high = 30): number {
    return this.rng.int(low, Math.max(low, Math.min(high, this.knobs.objects)));
  }

  /** An empty grid whose sides are from `low` to `high`, kept within the knobs. */
  blank(low = 1, high = this.knobs.maxSize): MutableGrid {
    return filledGrid(this.side(low, high), this.side(low, high));
  }

  /** An empty square. */
  blankSquare(low = 1, high = this.knobs.maxSize): MutableGrid {
    const side = this.side(low, high);
    return filledGrid(side, side);
  }

  /** A grid in which each cell is coloured with the given probability. */
  noise(height: number, width: number, density = 0.4, colors: readonly number[] = this.palette): MutableGrid {
    const grid = filledGrid(height, width);
    for (const row of grid) {
      for (let c = 0; c < width; c++) {
        // one draw decides both whether and which
        const which = (this.rng.uniform() / density) * colors.length;
        if (which < colors.length) row[c] = colors[Math.floor(which)]!;
      }
    }
    return grid;
  }

  /** A picture for rules that work on anything: noise of some density, or some objects. */
  picture(low = 1, high = this.knobs.maxSize): MutableGrid {
    const grid = this.blank(low, high);
    if (this.rng.chance(0.5) && this.objects(grid)) return grid;
    return this.noise(...gridShape(grid), this.rng.pick([0.25, 0.5, 0.9]));
  }

  /** `count` different cells of a grid with a given shape; fewer when it has fewer. */
  cells(height: number, width: number, count: number): GridCell[] {
    const chosen = new Set<number>();
    const wanted = Math.min(count, height * width);
    while (chosen.size < wanted) chosen.add(this.rng.int(0, height * width - 1));
    return Array.from(chosen, (i) => [Math.floor(i / width), i % width] as const);
  }

  /** Different rows or columns, in ascending order, none of them beside another; null when they do not fit. */
  lines(length: number, count: number, gap = 2): number[] | null {
    const free = length - (count - 1) * (gap - 1);
    if (count > free) return null;
    const starts = this.rng.sample(
      Array.from({ length: free }, (_, i) => i),
      count,
    );
    return starts.sort((a, b) => a - b).map((start, i) => start + i * (gap - 1));
  }

  /** A random connected shape inside a box, its cells counted from its own top left. */
  shape(cells: number, maxHeight: number, maxWidth: number): GridCell[] {
    const grid = filledGrid(maxHeight, maxWidth);
    const shape: GridCell[] = [[this.rng.int(0, maxHeight - 1), this.rng.int(0, maxWidth - 1)]];
    grid[shape[0]![0]]![shape[0]![1]] = 1;
    const wanted = Math.min(cells, maxHeight * maxWidth);
    while (shape.length < wanted) {
      const [row, column] = this.rng.pick(shape);
      const [down, right] = this.rng.pick([
        [0, 1],
        [1, 0],
        [0, -1],
        [-1, 0],
      ] as const);
      const r = row + down;
      const c = column + right;
      if (grid[r]?.[c] !== 0) continue;
      grid[r]![c] = 1;
      shape.push([r, c]);
    }
    return normalize(shape);
  }

  /** A rectangle anywhere in the grid, its height and width within these limits. */
  box(
    grid: MutableGrid,
    least: number,
    [mostRows, mostColumns]: readonly [rows: number, columns: number] = gridShape(grid),
  ): Box {
    const [gridHeight, gridWidth] = gridShape(grid);
    const height = this.rng.int(least, mostRows);
    const width = this.rng.int(least, mostColumns);
    const top = this.rng.int(0, gridHeight - height);
    const left = this.rng.int(0, gridWidth - width);
    return { top, left, height, width };
  }

  /** A place in the grid where a box and the ring around it are empty, or null when none is found. */
  place(grid: MutableGrid, height: number, width: number, inside = false): Box | null {
    const [gridHeight, gridWidth] = gridShape(grid);
    const margin = inside ? 1 : 0;
    if (height + 2 * margin > gridHeight || width + 2 * margin > gridWidth) return null;
    for (let attempt = 0; attempt < 12; attempt++) {
      const top = this.rng.int(margin, gridHeight - height - margin);
      const left = this.rng.int(margin, gridWidth - width - margin);
      if (isEmpty(grid, top - 1, left - 1, height + 2, width + 2)) return { top, left, height, width };
    }
    return null;
  }

  /** Paints objects that do not touch each other, not even at a corner; null when `least` do not fit. */
  objects(
    grid: MutableGrid,
    {
      least = 2,
      most = 30,
      cells: [fewestCells, mostCells] = [2, 5],
      color = () => this.color(),
      differentSizes = false,
      rectangles = false,
      inside = false,
    }: ObjectOptions = {},
  ): Component[] | null {
    const [gridHeight, gridWidth] = gridShape(grid);
    const objects: Component[] = [];
    const count = this.count(least, most);
    // what fills less than a part of the grid leaves room for the others
    const limit = (side: number) => Math.max(2, Math.min(side - (inside ? 2 : 0), Math.ceil(side / 2)));
    for (let attempt = 0; attempt < 8 * count && objects.length < count; attempt++) {
      const shape = rectangles
        ? rectangle(this.rng.int(1, limit(gridHeight)), this.rng.int(1, limit(gridWidth)))
        : this.shape(this.rng.int(fewestCells, mostCells), limit(gridHeight), limit(gridWidth));
      if (differentSizes && objects.some((object) => object.cells.length === shape.length)) continue;
      const height = Math.max(...shape.map(([r]) => r)) + 1;
      const width = Math.max(...shape.map(([, c]) => c)) + 1;
      const box = this.place(grid, height, width, inside);
      if (box === null) continue;
      const placed = shape.map(([r, c]): GridCell => [r + box.top, c + box.left]);
      const object = { ...box, cells: placed, color: color(objects.length) };
      paint(grid, placed, object.color);
      objects.push(object);
    }
    return objects.length >= least ? objects : null;
  }
}

/** The cells of a filled rectangle. */
export function rectangle(height: number, width: number): GridCell[] {
  return Array.from({ length: height * width }, (_, i): GridCell => [Math.floor(i / width), i % width]);
}
