import { copyGrid, filledGrid, gridShape, mapGrid, transposeGrid } from '../grid.js';
import type { Grid } from '../types.js';
import { paint } from './canvas.js';
import { defineFamily } from './define.js';

/** Both directions of a rule that is written for rows. */
const sideways = (turn: boolean) => (turn ? transposeGrid : (grid: Grid) => grid);

export const pattern = defineFamily('pattern', [
  {
    name: 'stamp',
    description: 'Every point becomes the same small pattern around it.',
    rule: (draw) => {
      const [mark, ...others] = draw.colors(Math.max(2, draw.knobs.colors));
      const around = draw.rng.sample(
        [-1, 0, 1]
          .flatMap((r) => [-1, 0, 1].map((c) => [r, c] as const))
          .filter(([r, c]) => r !== 0 || c !== 0),
        draw.rng.int(2, 5),
      );
      return () => {
        const input = draw.blank(3);
        const points = draw.objects(input, {
          least: 1,
          cells: [1, 1],
          color: () => draw.rng.pick(others),
        });
        if (points === null) return null;
        const output = copyGrid(input);
        for (const { top, left } of points) {
          paint(
            output,
            around.map(([r, c]) => [top + r, left + c]),
            mark!,
          );
        }
        for (const { top, left, color } of points) output[top]![left] = color;
        return { input, output };
      };
    },
  },
  {
    name: 'checkerboard-mask',
    description: 'Every second cell is deleted, as on a checkerboard.',
    rule: (draw) => {
      const odd = draw.rng.int(0, 1);
      return () => {
        const input = draw.noise(draw.side(3), draw.side(3), 0.8);
        return { input, output: mapGrid(input, (color, r, c) => ((r + c) % 2 === odd ? color : 0)) };
      };
    },
  },
  {
    name: 'checkerboard-from-two',
    description: 'Two coloured cells at the top left become a checkerboard over the whole grid.',
    rule: (draw) => () => {
      const input = draw.blank(3);
      const colors = draw.rng.sample([1, 2, 3, 4, 5, 6, 7, 8, 9], 2);
      input[0]!.splice(0, 2, ...colors);
      return { input, output: mapGrid(input, (_, r, c) => colors[(r + c) % 2]!) };
    },
  },
  {
    name: 'keep-alternate-rows',
    description: 'Every second row, or column, is deleted.',
    rule: (draw) => {
      const odd = draw.rng.int(0, 1);
      const turn = sideways(draw.rng.chance(0.5));
      return () => {
        const input = draw.noise(draw.side(3), draw.side(3), 0.7);
        return {
          input: turn(input),
          output: turn(mapGrid(input, (color, r) => (r % 2 === odd ? color : 0))),
        };
      };
    },
  },
  {
    name: 'recolor-alternate-rows',
    description: 'Coloured cells in every second row, or column, change their colour.',
    rule: (draw) => {
      const [own, mark] = draw.colors(2);
      const odd = draw.rng.int(0, 1);
      const turn = sideways(draw.rng.chance(0.5));
      return () => {
        const input = draw.noise(draw.side(3), draw.side(3), 0.6, [own!]);
        const output = mapGrid(input, (color, r) => (color !== 0 && r % 2 === odd ? mark! : color));
        return { input: turn(input), output: turn(output) };
      };
    },
  },
  {
    name: 'continue-stripes',
    description: 'The coloured rows at the top, or columns at the left, repeat to the end of the grid.',
    smallest: 4,
    rule: (draw) => {
      const turn = sideways(draw.rng.chance(0.5));
      return () => {
        const input = draw.blank(4);
        const period = draw.rng.int(2, Math.max(2, Math.floor(input.length / 3)));
        const colors = Array.from({ length: period }, () => draw.rng.int(1, 9));
        for (const [r, color] of colors.entries()) input[r]!.fill(color);
        return { input: turn(input), output: turn(mapGrid(input, (_, r) => colors[r % period]!)) };
      };
    },
  },
  {
    name: 'repeat-first-row',
    description: 'The first row, or column, is copied to all others.',
    rule: (draw) => {
      const turn = sideways(draw.rng.chance(0.5));
      return () => {
        const input = draw.blank(3);
        input[0] = draw.noise(1, input[0]!.length, 0.7)[0]!;
        return { input: turn(input), output: turn(mapGrid(input, (_, __, c) => input[0]![c]!)) };
      };
    },
  },
  {
    name: 'diagonal-wallpaper',
    description: 'The colours of the first row go on along diagonals, each row moved by one.',
    rule: (draw) => {
      const direction = draw.rng.pick([1, -1]);
      return () => {
        const input = draw.blank(3);
        const [, width] = gridShape(input);
        input[0] = draw.noise(1, width, 0.8)[0]!;
        const shifted = (r: number, c: number) => (((c - direction * r) % width) + width) % width;
        return { input, output: mapGrid(input, (_, r, c) => input[0]![shifted(r, c)]!) };
      };
    },
  },
  {
    name: 'triangle',
    description: 'Each row below a bar is one cell shorter than the row above it.',
    smallest: 4,
    rule: (draw) => {
      const color = draw.color();
      return () => {
        const input = draw.blank(3);
        const [height, width] = gridShape(input);
        const length = draw.rng.int(2, width);
        const top = draw.rng.int(0, Math.max(0, height - length));
        input[top]!.fill(color, 0, length);
        const output = mapGrid(input, (_, r, c) => (r >= top && c < length - (r - top) ? color : 0));
        return { input, output };
      };
    },
  },
  {
    name: 'reverse-alternate-rows',
    description: 'Every second row, or column, is read backwards.',
    rule: (draw) => {
      const turn = sideways(draw.rng.chance(0.5));
      return () => {
        const input = draw.noise(draw.side(2), draw.side(3), 0.7);
        const output = input.map((row, r) => (r % 2 === 1 ? row.toReversed() : row));
        return { input: turn(input), output: turn(output) };
      };
    },
  },
  {
    name: 'unroll',
    description: 'Read the coloured cells of the grid row by row into one line.',
    rule: (draw) => () => {
      const count = draw.rng.int(2, Math.min(draw.knobs.maxSize, draw.knobs.objects + 2));
      const input = filledGrid(draw.side(3), draw.side(3));
      for (const [r, c] of draw.cells(...gridShape(input), count)) input[r]![c] = draw.color();
      return { input, output: [input.flat().filter((color) => color !== 0)] };
    },
  },
]);
