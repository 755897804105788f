import { copyGrid, filledGrid, gridShape, mapGrid, padGrid } from '../grid.js';
import { paintBox, paintFrame } from './canvas.js';
import { defineFamily } from './define.js';

/** How many cells lie between a cell and the nearest side of the grid. */
const depth = (r: number, c: number, height: number, width: number) =>
  Math.min(r, c, height - 1 - r, width - 1 - c);

export const border = defineFamily('border', [
  {
    name: 'draw-border',
    description: 'Paint the outermost ring of cells.',
    smallest: 4,
    rule: (draw) => {
      const [color] = draw.colors(1);
      return () => {
        const input = draw.noise(draw.side(3), draw.side(3), 0.3);
        const [height, width] = gridShape(input);
        return {
          input,
          output: mapGrid(input, (old, r, c) => (depth(r, c, height, width) === 0 ? color! : old)),
        };
      };
    },
  },
  {
    name: 'add-border',
    description: 'Put a ring of cells around the grid, which becomes larger.',
    smallest: 4,
    rule: (draw) => {
      const [color] = draw.colors(1);
      return () => {
        const input = draw.picture(1, draw.knobs.maxSize - 2);
        return { input, output: padGrid(input, { top: 1, bottom: 1, left: 1, right: 1 }, color!) };
      };
    },
  },
  {
    name: 'recolor-border-cells',
    description: 'Coloured cells at the edge of the grid change their colour.',
    rule: (draw) => {
      const [own, mark] = draw.colors(2);
      return () => {
        const input = draw.noise(draw.side(3), draw.side(3), 0.5, [own!]);
        const [height, width] = gridShape(input);
        const output = mapGrid(input, (old, r, c) =>
          old !== 0 && depth(r, c, height, width) === 0 ? mark! : old,
        );
        // a coloured cell away from the edge shows that not all change
        return output.some((row) => row.includes(own!)) ? { input, output } : null;
      };
    },
  },
  {
    name: 'mark-corners',
    description: 'Paint the four corner cells of the grid.',
    rule: (draw) => {
      const [color] = draw.colors(1);
      return () => {
        const input = draw.noise(draw.side(3), draw.side(3), 0.3);
        const [height, width] = gridShape(input);
        const output = copyGrid(input);
        for (const r of [0, height - 1]) for (const c of [0, width - 1]) output[r]![c] = color!;
        return { input, output };
      };
    },
  },
  {
    name: 'swap-frame-and-inside',
    description: 'A frame and its inside exchange their colours.',
    rule: (draw) => () => {
      const input = draw.blank(3);
      const [frame, inside] = draw.colors(2);
      const box = draw.box(input, 3);
      paintBox(input, box, inside!);
      paintFrame(input, box, frame!);
      const output = mapGrid(input, (old) => (old === frame ? inside! : old === inside ? frame! : old));
      return { input, output };
    },
  },
  {
    name: 'reverse-rings',
    description: 'Nested rings take the colours in the opposite order, from inside out.',
    smallest: 4,
    rule: (draw) => () => {
      const side = draw.side(3, 18); // 9 rings, 9 colours
      const rings = Math.ceil(side / 2);
      const colors = draw.rng.sample([1, 2, 3, 4, 5, 6, 7, 8, 9], rings);
      if (colors.length < rings) return null;
      const empty = filledGrid(side, side);
      return {
        input: mapGrid(empty, (_, r, c) => colors[depth(r, c, side, side)]!),
        output: mapGrid(empty, (_, r, c) => colors[rings - 1 - depth(r, c, side, side)]!),
      };
    },
  },
  {
    name: 'alternate-rings',
    description: 'Colour every second ring, from the edge inwards, in the colour of the top left corner.',
    rule: (draw) => () => {
      const input = draw.blank(3);
      const [height, width] = gridShape(input);
      const color = draw.rng.pick([1, 2, 3, 4, 5, 6, 7, 8, 9]);
      input[0]![0] = color;
      const output = mapGrid(input, (_, r, c) => (depth(r, c, height, width) % 2 === 0 ? color : 0));
      return { input, output };
    },
  },
]);
