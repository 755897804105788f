import { colorCounts, filledGrid, mapGrid, rotateGrid, transposeGrid } from '../grid.js';
import type { Grid } from '../types.js';
import { defineFamily } from './define.js';
import type { Draw } from './draw.js';

/** Bars that stand at the left side, one in each row, of different lengths where there is room for it. */
function bars(draw: Draw): { input: Grid; lengths: number[] } {
  const [height, width] = [draw.side(3), draw.side(3)];
  const possible = Array.from({ length: width }, (_, i) => i + 1);
  const lengths =
    height <= width
      ? draw.rng.sample(possible, height)
      : Array.from({ length: height }, () => draw.rng.pick(possible));
  const colors = lengths.map(() => draw.color());
  const input = mapGrid(filledGrid(height, width), (_, r, c) => (c < lengths[r]! ? colors[r]! : 0));
  return { input, lengths };
}

const byCount = (grid: Grid) =>
  colorCounts(grid)
    .map((count, color) => ({ count, color }))
    .filter(({ count, color }) => count > 0 && color !== 0)
    .sort((a, b) => b.count - a.count);

export const sorting = defineFamily('sorting', [
  {
    name: 'sort-bars',
    description: 'Bars are put in order of their lengths.',
    rule: (draw) => {
      const direction = draw.rng.pick([-1, 1]);
      const turn = draw.rng.chance(0.5) ? transposeGrid : (grid: Grid) => grid;
      return () => {
        const { input, lengths } = bars(draw);
        // bars of one length keep their order
        const order = [...lengths.keys()].sort((a, b) => direction * (lengths[a]! - lengths[b]!) || a - b);
        return { input: turn(input), output: turn(order.map((r) => input[r]!)) };
      };
    },
  },
  {
    name: 'longest-bar',
    description: 'Only the longest bar stays.',
    rule: (draw) => {
      const turn = draw.rng.chance(0.5) ? transposeGrid : (grid: Grid) => grid;
      return () => {
        const { input, lengths } = bars(draw);
        const longest = Math.max(...lengths);
        if (lengths.filter((length) => length === longest).length > 1) return null;
        const output = mapGrid(input, (color, r) => (lengths[r] === longest ? color : 0));
        return { input: turn(input), output: turn(output) };
      };
    },
  },
  {
    name: 'colors-by-frequency',
    description: 'Answer with the colours in one line, the most frequent one first.',
    rule: (draw) => {
      const down = draw.rng.chance(0.5);
      return () => {
        const colors = draw.colors(Math.max(2, Math.min(4, draw.knobs.maxSize, draw.knobs.colors)));
        const input = draw.noise(draw.side(3), draw.side(3), 0.7, [colors[0]!, colors[0]!, ...colors]);
        const found = byCount(input);
        if (found.length < 2 || found.some(({ count }, i) => count === found[i + 1]?.count)) return null;
        const line = [found.map(({ color }) => color)];
        return { input, output: down ? transposeGrid(line) : line };
      };
    },
  },
  {
    name: 'sort-rows-by-count',
    description: 'Rows are put in order of how many coloured cells they have.',
    rule: (draw) => {
      const own = draw.color();
      const direction = draw.rng.pick([-1, 1]);
      return () => {
        const width = draw.side(3);
        const height = draw.side(2, width);
        const counts = draw.rng.sample(
          Array.from({ length: width + 1 }, (_, i) => i),
          height,
        );
        const input = counts.map((count) => {
          const row = new Array<number>(width).fill(0);
          for (const c of draw.rng.sample([...row.keys()], count)) row[c] = own;
          return row;
        });
        const order = [...counts.keys()].sort((a, b) => direction * (counts[a]! - counts[b]!));
        return { input, output: order.map((r) => input[r]!) };
      };
    },
  },
  {
    name: 'stack-colors',
    description: 'Each column answers with its colours piled up, most frequent at the bottom.',
    smallest: 4,
    rule: (draw) => () => {
      const colors = draw.colors(Math.max(2, Math.min(3, draw.knobs.colors)));
      const [height, width] = [draw.side(4), draw.side(2)];
      // from the bottom up: two colours at most, the lower one more often
      const piles = Array.from({ length: width }, () => {
        const many = draw.rng.int(1, height - 1);
        const few = draw.rng.int(0, Math.min(many - 1, height - many));
        const [first, second] = draw.rng.sample(colors, 2);
        const pile = [...new Array<number>(many).fill(first!), ...new Array<number>(few).fill(second!)];
        return [...pile, ...new Array<number>(height - pile.length).fill(0)];
      });
      const input = transposeGrid(piles.map((pile) => draw.rng.shuffle(pile)));
      return { input, output: rotateGrid(piles, 1) };
    },
  },
]);
