import { colorCounts, gridShape, mapGrid, recolorGrid } from '../grid.js';
import { defineFamily } from './define.js';

const unchanged = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/** The colours other than background that a grid has. */
function colorsOf(grid: readonly (readonly number[])[]): number[] {
  return colorCounts(grid).flatMap((count, color) => (count > 0 && color !== 0 ? [color] : []));
}

export const color = defineFamily('color', [
  {
    name: 'recolor-one',
    description: 'Give one colour another one; the rest stays.',
    rule: (draw) => {
      const [from, to, ...others] = draw.colors(Math.max(3, draw.knobs.colors));
      return () => {
        const input = draw.noise(draw.side(2), draw.side(2), 0.6, [from!, from!, ...others]);
        return { input, output: mapGrid(input, (color) => (color === from ? to! : color)) };
      };
    },
  },
  {
    name: 'swap-colors',
    description: 'Two colours change places.',
    rule: (draw) => {
      const [a, b, ...others] = draw.colors(Math.max(2, draw.knobs.colors));
      return () => {
        const input = draw.noise(draw.side(2), draw.side(2), 0.7, [a!, b!, a!, b!, ...others]);
        const output = mapGrid(input, (color) => (color === a ? b! : color === b ? a! : color));
        return { input, output, uses: colorsOf(input) };
      };
    },
  },
  {
    name: 'recolor-map',
    description: 'Every colour becomes another one, the same throughout the task.',
    rule: (draw) => {
      const from = draw.colors(Math.max(2, Math.min(4, draw.knobs.colors)));
      const to = draw.rng.sample([1, 2, 3, 4, 5, 6, 7, 8, 9], from.length);
      if (from.some((color, i) => color === to[i])) return () => null;
      const map = unchanged.slice();
      for (const [i, color] of from.entries()) map[color] = to[i]!;
      return () => {
        const input = draw.noise(draw.side(2), draw.side(2), 0.8, from);
        return { input, output: recolorGrid(input, map), uses: colorsOf(input) };
      };
    },
  },
  {
    name: 'invert',
    description: 'Coloured cells become background and the background takes their colour.',
    rule: (draw) => () => {
      const own = draw.color();
      const input = draw.noise(draw.side(2), draw.side(2), draw.rng.pick([0.3, 0.5, 0.7]), [own]);
      if (colorCounts(input)[own] === 0) return null;
      return { input, output: mapGrid(input, (color) => (color === 0 ? own : 0)) };
    },
  },
  {
    name: 'remove-color',
    description: 'Delete all cells of one colour.',
    rule: (draw) => {
      const [removed, ...others] = draw.colors(Math.max(2, draw.knobs.colors));
      return () => {
        const input = draw.noise(draw.side(2), draw.side(2), 0.6, [removed!, ...others]);
        return { input, output: mapGrid(input, (color) => (color === removed ? 0 : color)) };
      };
    },
  },
  {
    name: 'keep-color',
    description: 'Delete all cells but those of one colour.',
    rule: (draw) => {
      const [kept, ...others] = draw.colors(Math.max(3, draw.knobs.colors));
      return () => {
        const input = draw.noise(draw.side(2), draw.side(2), 0.7, [kept!, kept!, ...others]);
        return { input, output: mapGrid(input, (color) => (color === kept ? color : 0)) };
      };
    },
  },
  {
    name: 'fill-with-majority',
    description: 'The whole grid takes the colour that it has most of.',
    rule: (draw) => () => {
      const colors = draw.colors(Math.max(2, Math.min(4, draw.knobs.colors)));
      const input = draw.noise(draw.side(2), draw.side(2), 1, [colors[0]!, ...colors]);
      const [first, second] = colorCounts(input).sort((a, b) => b - a);
      if (first === second) return null;
      const winner = colorCounts(input).indexOf(first!);
      return { input, output: mapGrid(input, () => winner) };
    },
  },
  {
    name: 'recolor-by-corner',
    description: 'All coloured cells take the colour of the top left corner.',
    rule: (draw) => {
      const own = draw.color();
      return () => {
        const input = draw.noise(draw.side(3), draw.side(3), 0.4, [own]);
        const key = draw.rng.pick([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        input[0]![0] = key;
        if (key === own) return null;
        return { input, output: mapGrid(input, (color) => (color === own ? key : color)) };
      };
    },
  },
  {
    name: 'recolor-by-legend',
    description:
      'The top row pairs colours with new ones: the left cell of a pair becomes the right one below.',
    smallest: 4,
    rule: (draw) => {
      const [first, second] = draw.colors(2);
      return () => {
        const input = draw.noise(draw.side(4), draw.side(4), 0.6, [first!, second!]);
        const others = unchanged.filter((color) => color !== 0 && color !== first && color !== second);
        const [newFirst, newSecond] = draw.rng.sample(others, 2);
        const [, width] = gridShape(input);
        input[0] = [first!, newFirst!, second!, newSecond!, ...new Array<number>(width - 4).fill(0)];
        const output = mapGrid(input, (color, r) =>
          r === 0 ? color : color === first ? newFirst! : color === second ? newSecond! : color,
        );
        return { input, output };
      };
    },
  },
]);
