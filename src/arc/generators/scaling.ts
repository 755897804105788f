import {
  copyGrid,
  filledGrid,
  flipLeftRight,
  flipUpsideDown,
  gridShape,
  joinColumns,
  joinRows,
  type MutableGrid,
  mapGrid,
  pasteGrid,
  upscaleGrid,
} from '../grid.js';
import type { Grid } from '../types.js';
import { paintBox } from './canvas.js';
import { defineFamily } from './define.js';
import type { Draw } from './draw.js';

/** A picture small enough to fit `times` times into the largest grid, each way. */
function smallPicture(draw: Draw, times: number): MutableGrid {
  return draw.picture(2, Math.floor(draw.knobs.maxSize / times));
}

/** A factor whose product with a side of 2 still fits. */
function factor(draw: Draw): number {
  return draw.rng.int(2, Math.max(2, Math.min(3, Math.floor(draw.knobs.maxSize / 2))));
}

/** A grid that repeats a motif of 1 to 3 rows and 2 or 3 columns; null when the motif has one colour only. */
function wallpaper(draw: Draw, least: number, visible: number): Grid | null {
  const [height, width] = [draw.side(least), draw.side(least)];
  // two periods must be seen
  const longest = Math.floor((Math.min(height, width) * visible) / 2);
  const motif = filledGrid(
    draw.rng.int(1, Math.max(2, Math.min(3, longest))),
    draw.rng.int(2, Math.max(2, Math.min(3, longest))),
  );
  const colors = draw.colors(Math.max(2, Math.min(3, draw.knobs.colors)));
  for (const row of motif) for (let c = 0; c < row.length; c++) row[c] = draw.rng.pick(colors);
  if (new Set(motif.flat()).size < 2) return null;
  const [rows, columns] = gridShape(motif);
  return mapGrid(filledGrid(height, width), (_, r, c) => motif[r % rows]![c % columns]!);
}

export const scaling = defineFamily('scaling', [
  {
    name: 'upscale',
    description: 'Make each cell a block.',
    smallest: 4,
    rule: (draw) => {
      const times = factor(draw);
      return () => {
        const input = smallPicture(draw, times);
        return { input, output: upscaleGrid(input, times, times) };
      };
    },
  },
  {
    name: 'stretch',
    description: 'Make each cell several cells high, or wide.',
    smallest: 4,
    rule: (draw) => {
      const times = factor(draw);
      const [rows, columns] = draw.rng.pick([
        [times, 1],
        [1, times],
      ] as const);
      return () => {
        const input = smallPicture(draw, times);
        return { input, output: upscaleGrid(input, rows, columns) };
      };
    },
  },
  {
    name: 'downscale',
    description: 'Make each block of one colour a single cell.',
    smallest: 4,
    rule: (draw) => {
      const times = factor(draw);
      return () => {
        const output = smallPicture(draw, times);
        return { input: upscaleGrid(output, times, times), output };
      };
    },
  },
  {
    name: 'tile',
    description: 'Repeat the grid across and down.',
    smallest: 4,
    rule: (draw) => {
      const [rows, columns] = draw.rng.pick([
        [1, 2],
        [2, 1],
        [2, 2],
      ] as const);
      return () => {
        const input = smallPicture(draw, 2);
        const strip = joinColumns(...new Array<Grid>(columns).fill(input));
        return { input, output: joinRows(...new Array<Grid>(rows).fill(strip)) };
      };
    },
  },
  {
    name: 'tile-mirrored',
    description: 'Repeat the grid twice each way, every copy mirrored at its neighbour.',
    smallest: 4,
    rule: (draw) => () => {
      const input = smallPicture(draw, 2);
      const top = joinColumns(input, flipLeftRight(input));
      return { input, output: joinRows(top, flipUpsideDown(top)) };
    },
  },
  {
    name: 'append-mirror',
    description: 'Put the mirror image beside the grid.',
    smallest: 4,
    rule: (draw) => {
      const side = draw.rng.int(0, 3);
      return () => {
        const input = smallPicture(draw, 2);
        const mirrored = side < 2 ? flipLeftRight(input) : flipUpsideDown(input);
        const [first, second] = side % 2 === 0 ? [input, mirrored] : [mirrored, input];
        return { input, output: side < 2 ? joinColumns(first, second) : joinRows(first, second) };
      };
    },
  },
  {
    name: 'fractal',
    description: 'Put a copy of the grid where the grid has a coloured cell.',
    smallest: 4,
    rule: (draw) => {
      const side = draw.knobs.maxSize >= 9 ? 3 : 2;
      return () => {
        const input = draw.noise(side, side, 0.5, [draw.color()]);
        const output = filledGrid(side * side, side * side);
        input.forEach((row, r) => {
          row.forEach((color, c) => {
            if (color !== 0) pasteGrid(output, input, r * side, c * side);
          });
        });
        return { input, output };
      };
    },
  },
  {
    name: 'continue-wallpaper',
    description: 'Continue a repeating pattern over the empty rest of the grid.',
    smallest: 5,
    rule: (draw) => {
      const across = draw.rng.chance(0.5);
      return () => {
        const output = wallpaper(draw, 5, 0.6);
        if (output === null) return null;
        const [height, width] = gridShape(output);
        const input = copyGrid(output);
        const left = across ? Math.max(4, Math.ceil(width * 0.6)) : 0;
        const top = across ? 0 : Math.max(4, Math.ceil(height * 0.6));
        paintBox(input, { top, left, height, width }, 0);
        return { input, output };
      };
    },
  },
  {
    name: 'repair-wallpaper',
    description: 'Fill in the part of a repeating pattern that is covered.',
    smallest: 5,
    rule: (draw) => () => {
      const output = wallpaper(draw, 5, 1);
      if (output === null) return null;
      const [height, width] = gridShape(output);
      const input = copyGrid(output);
      paintBox(input, draw.box(input, 1, [Math.floor(height / 2), Math.floor(width / 2)]), 0);
      return { input, output };
    },
  },
]);
