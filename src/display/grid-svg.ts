import { gridShape } from '../arc/grid.js';
import type { Grid } from '../arc/types.js';
import { ARC_PALETTE, GRID_LINE } from './palette.js';
import { type Picture, short, toSvg } from './picture.js';

/** How a grid is drawn. */
export interface GridOptions {
  /** Pixels a side of one cell; without it the grid is made to fit `maxSize`. */
  cellSize?: number;
  /** The longest side in pixels when there is no `cellSize` (default 120). */
  maxSize?: number;
  /** The accessible title of the picture. */
  title?: string;
  /** Cells that differ from this grid get a mark. Of another size: no marks, the frame tells it. */
  reference?: Grid;
  /** A frame in this colour. */
  frame?: string;
  /** Room around the grid in pixels (default what the frame needs), so that grids with and without one line up. */
  margin?: number;
  /** A dashed frame. */
  dashed?: boolean;
}

/** A cell size between 3 and 20 pixels at which every one of the grids fits a square of `maxSize` pixels. */
export function cellSizeFor(grids: readonly Grid[], maxSize = 120): number {
  const longest = Math.max(1, ...grids.flatMap((grid) => gridShape(grid)));
  return Math.max(3, Math.min(20, Math.round((10 * maxSize) / longest) / 10));
}

/**
 * One path for each colour, in units of cells: neighbours in a row become one rectangle. The colour that most
 * cells have is painted once below all others.
 */
function colorPaths(grid: Grid): string {
  const [height, width] = gridShape(grid);
  const counts = new Map<number, number>();
  for (const color of grid.flat()) counts.set(color, (counts.get(color) ?? 0) + 1);
  const background = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
  const paths = new Map<number, string>();
  for (const [y, cells] of grid.entries()) {
    for (let x = 0; x < width; ) {
      const color = cells[x]!;
      let end = x + 1;
      while (end < width && cells[end] === color) end++;
      if (color !== background)
        paths.set(color, `${paths.get(color) ?? ''}M${x} ${y}h${end - x}v1h${x - end}z`);
      x = end;
    }
  }
  const drawn = [...paths].sort(([a], [b]) => a - b);
  return (
    `<path fill="${ARC_PALETTE[background]}" d="M0 0h${width}v${height}h-${width}z"/>` +
    drawn.map(([color, d]) => `<path fill="${ARC_PALETTE[color]}" d="${d}"/>`).join('')
  );
}

function linePath(height: number, width: number): string {
  const across = Array.from({ length: height + 1 }, (_, y) => `M0 ${y}h${width}`);
  const down = Array.from({ length: width + 1 }, (_, x) => `M${x} 0v${height}`);
  return across.join('') + down.join('');
}

/**
 * Dots in the cells that differ: zero-length strokes with round caps, white on black, visible on every colour. In
 * small cells they take more of the cell.
 */
function differenceMarks(grid: Grid, reference: Grid, cellSize: number): string {
  if (gridShape(grid).join() !== gridShape(reference).join()) return '';
  const d = grid
    .flatMap((cells, y) =>
      cells.map((color, x) => (color === reference[y]![x] ? '' : `M${x + 0.5} ${y + 0.5}h0`)),
    )
    .join('');
  if (d === '') return '';
  const dots = (color: string, width: number) =>
    `<path d="${d}" fill="none" stroke="${color}" stroke-width="${short(width)}" stroke-linecap="round"/>`;
  const inner = Math.max(0.3, Math.min(0.5, 2.4 / cellSize));
  return `<g class="differences">${dots('#000', inner + 0.2)}${dots('#fff', inner)}</g>`;
}

/** What a frame needs around a grid, in pixels. */
export const FRAME_MARGIN = 4;

/** A grid with thin lines between its cells, and a frame when asked. */
export function gridPicture(grid: Grid, options: GridOptions = {}): Picture {
  const { cellSize = cellSizeFor([grid], options.maxSize), reference, frame, dashed } = options;
  const [height, width] = gridShape(grid);
  // a pixel wide, but never so much of a small cell that its colour is hidden
  const line = Math.min(0.08, 1 / cellSize);
  const margin = options.margin ?? (frame === undefined ? 0.5 : FRAME_MARGIN);
  const pixels = { width: width * cellSize + 2 * margin, height: height * cellSize + 2 * margin };
  const border =
    frame === undefined
      ? ''
      : `<rect x="1" y="1" width="${short(pixels.width - 2)}" height="${short(pixels.height - 2)}" rx="2" fill="none" ` +
        `stroke="${frame}" stroke-width="2"${dashed ? ' stroke-dasharray="4 3"' : ''}/>`;
  return {
    ...pixels,
    body:
      `<g transform="translate(${margin} ${margin}) scale(${short(cellSize)})">` +
      `<g shape-rendering="crispEdges">${colorPaths(grid)}</g>` +
      `<path d="${linePath(height, width)}" fill="none" stroke="${GRID_LINE}" stroke-width="${short(line)}"/></g>` +
      (reference === undefined
        ? ''
        : `<g transform="translate(${margin} ${margin}) scale(${short(cellSize)})">${differenceMarks(grid, reference, cellSize)}</g>`) +
      border,
  };
}

/** `3×4 grid`: rows by columns. */
export function describeGrid(grid: Grid): string {
  return `${gridShape(grid).join('×')} grid`;
}

/** A grid as an SVG file. */
export function gridSvg(grid: Grid, options: GridOptions = {}): string {
  return toSvg(gridPicture(grid, options), options.title ?? describeGrid(grid));
}
