import { colorCounts, connectedComponents, filledGrid, gridShape, mapGrid } from '../grid.js';
import { paint } from './canvas.js';
import { defineFamily, type GeneratorDefinition } from './define.js';

/** The answer is one cell with the colour that is found most, or least, often. */
function oneColor(name: string, description: string, most: boolean): GeneratorDefinition {
  return {
    name,
    description,
    rule: (draw) => {
      const colors = draw.colors(Math.max(2, Math.min(4, draw.knobs.colors)));
      return () => {
        const input = draw.noise(draw.side(2), draw.side(2), draw.rng.pick([0.6, 1]), colors);
        const found = colorCounts(input)
          .map((count, color) => ({ count, color }))
          .filter(({ count, color }) => color !== 0 && count > 0)
          .sort((a, b) => (most ? b.count - a.count : a.count - b.count));
        const [first, second] = found;
        return first && second && first.count !== second.count ? { input, output: [[first.color]] } : null;
      };
    },
  };
}

export const counting = defineFamily('counting', [
  oneColor('most-frequent-color', 'Answer with one cell of the most frequent colour.', true),
  oneColor('least-frequent-color', 'Answer with one cell of the least frequent colour.', false),
  {
    name: 'count-cells',
    description: 'Answer with a bar as long as the number of coloured cells.',
    rule: (draw) => {
      const down = draw.rng.chance(0.5);
      return () => {
        const input = draw.blank(3);
        const count = draw.rng.int(1, Math.min(draw.knobs.maxSize, draw.knobs.objects + 2));
        const color = draw.color();
        const cells = draw.cells(...gridShape(input), count);
        paint(input, cells, color);
        return {
          input,
          output: down ? filledGrid(cells.length, 1, color) : filledGrid(1, cells.length, color),
        };
      };
    },
  },
  {
    name: 'count-objects',
    description: 'Answer with a bar as long as the number of objects.',
    smallest: 5,
    rule: (draw) => {
      const down = draw.rng.chance(0.5);
      return () => {
        const input = draw.blank(5);
        const color = draw.color();
        const count = draw.rng.int(1, Math.max(3, Math.min(8, draw.knobs.objects)));
        const objects = draw.objects(input, { least: count, most: count, cells: [1, 4], color: () => color });
        if (objects === null) return null;
        const length = objects.length;
        return { input, output: down ? filledGrid(length, 1, color) : filledGrid(1, length, color) };
      };
    },
  },
  {
    name: 'count-on-diagonal',
    description: 'Answer with a square that has one diagonal cell for each coloured cell.',
    rule: (draw) => {
      const own = draw.color();
      return () => {
        const input = draw.blank(3);
        const most = Math.min(draw.knobs.maxSize, draw.knobs.objects + 1);
        const cells = draw.cells(...gridShape(input), draw.rng.int(1, most));
        paint(input, cells, own);
        const output = mapGrid(filledGrid(cells.length, cells.length), (_, r, c) => (r === c ? own : 0));
        return { input, output };
      };
    },
  },
  {
    name: 'count-in-place',
    description: 'The number of coloured cells is shown by filling as many cells of the answer, row by row.',
    rule: (draw) => {
      const own = draw.color();
      return () => {
        const input = draw.blank(3);
        const count = draw.rng.int(1, 9);
        paint(input, draw.cells(...gridShape(input), count), own);
        return { input, output: mapGrid(filledGrid(3, 3), (_, r, c) => (3 * r + c < count ? own : 0)) };
      };
    },
  },
  {
    name: 'histogram',
    description:
      'Answer with one bar per colour, as long as its number of cells, in the order of a fixed list.',
    smallest: 4,
    rule: (draw) => {
      const colors = draw.colors(Math.max(2, Math.min(3, draw.knobs.colors)));
      const longest = Math.min(draw.knobs.maxSize, 5);
      return () => {
        const input = draw.blank(4);
        const bars = colors.map(() => draw.rng.int(1, longest));
        const cells = draw.rng.shuffle(
          draw.cells(
            ...gridShape(input),
            bars.reduce((a, b) => a + b),
          ),
        );
        for (const [i, color] of colors.entries()) paint(input, cells.splice(0, bars[i]!), color);
        const empty = filledGrid(colors.length, Math.max(...bars));
        return { input, output: mapGrid(empty, (_, r, c) => (c < bars[r]! ? colors[r]! : 0)) };
      };
    },
  },
  {
    name: 'count-to-color',
    description: 'Answer with one cell whose colour stands for the number of objects.',
    smallest: 5,
    rule: (draw) => {
      const [own, ...answers] = draw.colors(4);
      return () => {
        const input = draw.blank(5);
        const count = draw.rng.int(1, 3);
        const objects = draw.objects(input, { least: count, most: count, cells: [1, 4], color: () => own! });
        return objects && { input, output: [[answers[objects.length - 1]!]], uses: [objects.length] };
      };
    },
  },
  {
    name: 'repeat-by-colors',
    description: 'Answer with the picture repeated side by side, once for each of its colours.',
    smallest: 6,
    rule: (draw) => () => {
      const count = draw.rng.int(1, Math.min(3, Math.floor(draw.knobs.maxSize / 2)));
      const input = draw.noise(
        draw.side(2, 4),
        draw.side(2, Math.floor(draw.knobs.maxSize / count)),
        0.9,
        draw.colors(count),
      );
      const found = colorCounts(input).filter((cells, color) => color !== 0 && cells > 0).length;
      const width = input[0]!.length;
      if (found < 1 || found * width > draw.knobs.maxSize) return null;
      return { input, output: input.map((row) => Array.from({ length: found }, () => row).flat()) };
    },
  },
  {
    name: 'which-has-more-objects',
    description: 'Two colours have objects; answer with one cell of the colour that has more of them.',
    smallest: 5,
    rule: (draw) => () => {
      const input = draw.blank(5);
      const colors = draw.colors(2);
      const first = draw.rng.int(1, 2);
      const objects = draw.objects(input, {
        least: 3,
        cells: [1, 3],
        color: (i) => colors[i < first ? 0 : 1]!,
      });
      if (objects === null) return null;
      const counts = colors.map(
        (color) => connectedComponents(input).filter((o) => o.color === color).length,
      );
      if (counts[0] === counts[1]) return null;
      return { input, output: [[colors[counts[0]! > counts[1]! ? 0 : 1]!]] };
    },
  },
]);
