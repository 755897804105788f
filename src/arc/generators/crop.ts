import {
  colorCounts,
  connectedComponents,
  contentBox,
  cropGrid,
  filledGrid,
  gridShape,
  joinColumns,
  joinRows,
  type MutableGrid,
  pasteGrid,
} from '../grid.js';
import { apart, paint, paintFrame } from './canvas.js';
import { defineFamily } from './define.js';

export const crop = defineFamily('crop', [
  {
    name: 'crop-to-content',
    description: 'Cut out the rectangle around everything that is not background.',
    rule: (draw) => () => {
      const input = draw.blank(3);
      const [height, width] = gridShape(input);
      const box = draw.noise(draw.rng.int(1, height - 1), draw.rng.int(1, width - 1), 0.7);
      const [boxHeight, boxWidth] = gridShape(box);
      pasteGrid(input, box, draw.rng.int(0, height - boxHeight), draw.rng.int(0, width - boxWidth));
      const content = contentBox(input);
      return content && { input, output: cropGrid(input, content) };
    },
  },
  {
    name: 'crop-half',
    description: 'Keep one half of the grid, always the same one.',
    smallest: 4,
    rule: (draw) => {
      const side = draw.rng.int(0, 3);
      return () => {
        const half = Math.floor(draw.knobs.maxSize / 2);
        const [height, width] =
          side < 2 ? [draw.side(2), draw.side(1, half)] : [draw.side(1, half), draw.side(2)];
        const kept = draw.noise(height, width, 0.6);
        const other = draw.noise(height, width, 0.6);
        const [first, second] = side % 2 === 0 ? [kept, other] : [other, kept];
        return { input: side < 2 ? joinColumns(first, second) : joinRows(first, second), output: kept };
      };
    },
  },
  {
    name: 'crop-quadrant',
    description: 'Keep one quarter of the grid, always the same one.',
    smallest: 4,
    rule: (draw) => {
      const [down, right] = [draw.rng.int(0, 1), draw.rng.int(0, 1)];
      return () => {
        const half = Math.floor(draw.knobs.maxSize / 2);
        const [height, width] = [draw.side(1, half), draw.side(1, half)];
        const input = draw.noise(2 * height, 2 * width, 0.6);
        return { input, output: cropGrid(input, { top: down * height, left: right * width, height, width }) };
      };
    },
  },
  {
    name: 'crop-between-markers',
    description: 'Cut out what lies between four corner markers.',
    smallest: 4,
    rule: (draw) => {
      const [marker, ...others] = draw.colors(Math.max(2, draw.knobs.colors));
      return () => {
        const input = draw.noise(draw.side(4), draw.side(4), 0.5, others);
        const [height, width] = gridShape(input);
        const rows = draw.rng.int(1, height - 2);
        const columns = draw.rng.int(1, width - 2);
        const top = draw.rng.int(1, height - 1 - rows);
        const left = draw.rng.int(1, width - 1 - columns);
        for (const r of [top - 1, top + rows]) {
          for (const c of [left - 1, left + columns]) input[r]![c] = marker!;
        }
        return { input, output: cropGrid(input, { top, left, height: rows, width: columns }) };
      };
    },
  },
  {
    name: 'crop-framed',
    description: 'Cut out what a frame encloses.',
    smallest: 4,
    rule: (draw) => {
      const [frame, ...others] = draw.colors(Math.max(2, draw.knobs.colors));
      return () => {
        const input = draw.noise(draw.side(4), draw.side(4), 0.4, others);
        const box = draw.box(input, 3);
        paintFrame(input, box, frame!);
        const inner = { top: box.top + 1, left: box.left + 1, height: box.height - 2, width: box.width - 2 };
        return { input, output: cropGrid(input, inner) };
      };
    },
  },
  {
    name: 'crop-largest',
    description: 'Cut out the object with the most cells.',
    smallest: 5,
    rule: (draw) => () => {
      const input = draw.blank(5);
      const objects = draw.objects(input, { cells: [1, 6], differentSizes: true });
      if (objects === null) return null;
      const largest = objects.reduce((a, b) => (b.cells.length > a.cells.length ? b : a));
      return apart(objects) ? { input, output: cropGrid(input, largest) } : null;
    },
  },
  {
    name: 'crop-odd-color',
    description: 'Cut out the one object whose colour no other object has.',
    smallest: 5,
    rule: (draw) => () => {
      const input = draw.blank(5);
      const [common, odd] = draw.colors(2);
      const objects = draw.objects(input, {
        least: 3,
        cells: [1, 4],
        color: (i) => (i === 0 ? odd! : common!),
      });
      return objects && { input, output: cropGrid(input, objects[0]!) };
    },
  },
  {
    name: 'cut-out-shape',
    description: 'Show the one object of many cells alone, without the scattered single cells.',
    smallest: 5,
    rule: (draw) => () => {
      const input = draw.blank(5);
      const [own, noise] = draw.colors(2);
      const [object] = draw.objects(input, { least: 1, most: 1, cells: [4, 6], color: () => own! }) ?? [];
      if (!object) return null;
      const [height, width] = gridShape(input);
      paint(
        input,
        draw.cells(height, width, draw.count(2)).filter(([r, c]) => input[r]![c] === 0),
        noise!,
      );
      const output = filledGrid(object.height, object.width);
      paint(
        output,
        object.cells.map(([r, c]) => [r - object.top, c - object.left]),
        own!,
      );
      return { input, output };
    },
  },
  {
    name: 'remove-empty-lines',
    description: 'Delete the rows and columns that have only background.',
    rule: (draw) => () => {
      const input = draw.noise(draw.side(3), draw.side(3), 0.5);
      const [height, width] = gridShape(input);
      for (const r of draw.rng.sample([...input.keys()], draw.rng.int(0, Math.floor(height / 2)))) {
        input[r]!.fill(0);
      }
      for (const c of draw.rng.sample([...input[0]!.keys()], draw.rng.int(0, Math.floor(width / 2)))) {
        for (const row of input) row[c] = 0;
      }
      const columns = [...input[0]!.keys()].filter((c) => input.some((row) => row[c] !== 0));
      const rows = input.filter((row) => row.some((color) => color !== 0));
      const output: MutableGrid = rows.map((row) => columns.map((c) => row[c]!));
      return output.length === 0 ? null : { input, output };
    },
  },
  {
    name: 'peel',
    description: 'Remove the outermost ring of cells.',
    rule: (draw) => () => {
      const input = draw.noise(draw.side(3), draw.side(3), 0.6);
      const [height, width] = gridShape(input);
      return { input, output: cropGrid(input, { top: 1, left: 1, height: height - 2, width: width - 2 }) };
    },
  },
  {
    name: 'crop-most-colorful-half',
    description: 'Of the two halves keep the one with more coloured cells.',
    smallest: 4,
    rule: (draw) => {
      const across = draw.rng.chance(0.5);
      return () => {
        const half = Math.floor(draw.knobs.maxSize / 2);
        const [height, width] = across
          ? [draw.side(2), draw.side(1, half)]
          : [draw.side(1, half), draw.side(2)];
        const [a, b] = [draw.noise(height, width, 0.5), draw.noise(height, width, 0.5)];
        const empty = [colorCounts(a)[0]!, colorCounts(b)[0]!] as const;
        if (empty[0] === empty[1]) return null;
        const kept = empty[0] < empty[1] ? 0 : 1;
        return {
          input: across ? joinColumns(a, b) : joinRows(a, b),
          output: [a, b][kept]!,
          uses: [kept],
        };
      };
    },
  },
  {
    name: 'crop-by-corner-color',
    description: 'Cut out the object that has the colour of the top left corner.',
    smallest: 5,
    rule: (draw) => () => {
      const input = draw.blank(5);
      const colors = draw.colors(3);
      input[0]![0] = colors[0]!;
      const objects = draw.objects(input, {
        least: 2,
        most: 3,
        cells: [2, 4],
        color: (i) => colors[i]!,
      });
      if (objects === null || connectedComponents(input).length !== objects.length + 1) return null;
      return { input, output: cropGrid(input, objects[0]!) };
    },
  },
]);
