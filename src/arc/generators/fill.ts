import { copyGrid, gridShape, mapGrid } from '../grid.js';
import { contains, enclosedCells, paint, paintBox, paintFrame, straightSteps } from './canvas.js';
import { defineFamily } from './define.js';
import type { Draw } from './draw.js';

/** Hollow rectangles that do not touch each other, and their inner boxes; null when they do not fit. */
function frames(draw: Draw, color: () => number) {
  const input = draw.blank(4);
  const [height, width] = gridShape(input);
  const inner = [];
  const count = draw.count(1, 4);
  for (let attempt = 0; attempt < 4 * count && inner.length < count; attempt++) {
    const box = draw.place(
      input,
      draw.rng.int(3, Math.max(3, Math.min(height, Math.ceil(height * 0.6)))),
      draw.rng.int(3, Math.max(3, Math.min(width, Math.ceil(width * 0.6)))),
    );
    if (box === null) continue;
    paintFrame(input, box, color());
    inner.push({ top: box.top + 1, left: box.left + 1, height: box.height - 2, width: box.width - 2 });
  }
  return inner.length === 0 ? null : { input, inner };
}

export const fill = defineFamily('fill', [
  {
    name: 'fill-enclosed',
    description: 'Colour the background that is enclosed on all sides.',
    smallest: 4,
    rule: (draw) => {
      const [wall, filling] = draw.colors(2);
      return () => {
        const drawn = frames(draw, () => wall!);
        if (drawn === null) return null;
        const { input } = drawn;
        // gaps and stray cells: not all that looks like a frame encloses something
        const [height, width] = gridShape(input);
        for (const [r, c] of draw.cells(height, width, draw.count(0)))
          input[r]![c] = draw.rng.pick([0, wall!]);
        const output = copyGrid(input);
        paint(output, enclosedCells(input), filling!);
        return { input, output };
      };
    },
  },
  {
    name: 'fill-outside',
    description: 'Colour the background that is connected with the edge.',
    smallest: 4,
    rule: (draw) => {
      const [wall, filling] = draw.colors(2);
      return () => {
        const drawn = frames(draw, () => wall!);
        if (drawn === null) return null;
        const output = mapGrid(drawn.input, (color) => color || filling!);
        paint(output, enclosedCells(drawn.input), 0);
        return { input: drawn.input, output };
      };
    },
  },
  {
    name: 'fill-frames-own-color',
    description: 'The inside of each frame takes the colour of the frame.',
    smallest: 4,
    rule: (draw) => () => {
      const drawn = frames(draw, () => draw.color());
      if (drawn === null) return null;
      const output = copyGrid(drawn.input);
      for (const box of drawn.inner) paintBox(output, box, output[box.top - 1]![box.left]!);
      return { input: drawn.input, output };
    },
  },
  {
    name: 'hollow-out',
    description: 'Rectangles lose everything but their border.',
    smallest: 4,
    rule: (draw) => {
      const filling = draw.rng.chance(0.5) ? 0 : draw.otherColor();
      return () => {
        const drawn = frames(draw, () => draw.color());
        if (drawn === null) return null;
        const input = copyGrid(drawn.input);
        const output = copyGrid(drawn.input);
        for (const box of drawn.inner) {
          const color = input[box.top - 1]![box.left]!;
          if (color === filling) return null;
          paintBox(input, box, color);
          paintBox(output, box, filling);
        }
        return { input, output };
      };
    },
  },
  {
    name: 'flood-from-seed',
    description: 'A seed spreads over the background until walls stop it.',
    smallest: 4,
    rule: (draw) => {
      const [seed, wall] = draw.colors(2);
      return () => {
        const input = draw.noise(draw.side(4), draw.side(4), 0.4, [wall!]);
        const [height, width] = gridShape(input);
        const [start] = draw.cells(height, width, 1);
        input[start![0]]![start![1]] = seed!;
        const output = copyGrid(input);
        const queue = [start!];
        for (let i = 0; i < queue.length; i++) {
          for (const [down, right] of straightSteps) {
            const [r, c] = [queue[i]![0] + down, queue[i]![1] + right];
            if (!contains(output, r, c) || output[r]![c] !== 0) continue;
            output[r]![c] = seed!;
            queue.push([r, c]);
          }
        }
        return queue.length < 3 ? null : { input, output };
      };
    },
  },
  {
    name: 'fill-between',
    description: 'The gap between two equal cells in a row or column is filled with another colour.',
    smallest: 4,
    rule: (draw) => {
      const [own, filling] = draw.colors(2);
      return () => {
        const input = draw.blank(4);
        const [height, width] = gridShape(input);
        const rows = draw.lines(height, draw.count(1, Math.floor(height / 2)));
        if (rows === null) return null;
        const output = copyGrid(input);
        for (const r of rows) {
          const left = draw.rng.int(0, width - 3);
          const right = draw.rng.int(left + 2, width - 1);
          for (const grid of [input, output]) for (const c of [left, right]) grid[r]![c] = own!;
          output[r]!.fill(filling!, left + 1, right);
        }
        return { input, output };
      };
    },
  },
  {
    name: 'rectangle-from-corners',
    description: 'Two points are the corners of a rectangle that is filled in.',
    smallest: 4,
    rule: (draw) => {
      const [own, filling] = draw.colors(2);
      return () => {
        const input = draw.blank(4);
        const box = draw.box(input, 2);
        const [left, right] = draw.rng.shuffle([box.left, box.left + box.width - 1]);
        const output = copyGrid(input);
        paintBox(output, box, filling!);
        for (const grid of [input, output]) {
          grid[box.top]![left!] = own!;
          grid[box.top + box.height - 1]![right!] = own!;
        }
        return { input, output };
      };
    },
  },
  {
    name: 'fill-concave-corner',
    description: 'Rectangles with a missing cell get it back, in another colour.',
    smallest: 4,
    rule: (draw) => {
      const [own, filling] = draw.colors(2);
      return () => {
        const input = draw.blank(4);
        const [height, width] = gridShape(input);
        const output = copyGrid(input);
        const count = draw.count(1, 3);
        for (let i = 0; i < count; i++) {
          const box = draw.place(
            input,
            draw.rng.int(2, Math.max(2, Math.ceil(height / 2))),
            draw.rng.int(2, Math.max(2, Math.ceil(width / 2))),
          );
          if (box === null) continue;
          paintBox(input, box, own!);
          paintBox(output, box, own!);
          const [[r, c]] = draw.cells(box.height, box.width, 1) as [[number, number]];
          input[box.top + r]![box.left + c] = 0;
          output[box.top + r]![box.left + c] = filling!;
        }
        return { input, output };
      };
    },
  },
]);
