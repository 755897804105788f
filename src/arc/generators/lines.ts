import { copyGrid, gridShape, type MutableGrid, mapGrid, transposeGrid } from '../grid.js';
import { contains, paintBox } from './canvas.js';
import { defineFamily } from './define.js';

/** Transposes both grids of a sample, or not: rules for rows then also exist for columns. */
function turned(sideways: boolean, input: MutableGrid, output: MutableGrid) {
  return sideways ? { input: transposeGrid(input), output: transposeGrid(output) } : { input, output };
}

export const lines = defineFamily('lines', [
  {
    name: 'connect-pairs',
    description: 'Two points of one colour in a row, or column, are connected by a line.',
    smallest: 4,
    rule: (draw) => {
      const sideways = draw.rng.chance(0.5);
      return () => {
        const input = draw.blank(4);
        const [height, width] = gridShape(input);
        const output = copyGrid(input);
        for (const r of draw.rng.sample([...input.keys()], draw.count(1, Math.ceil(height / 2)))) {
          const [a, b] = draw.rng.sample([...input[0]!.keys()], 2).sort((x, y) => x - y) as [number, number];
          const color = draw.color();
          input[r]![a] = color;
          input[r]![b] = color;
          paintBox(output, { top: r, left: a, height: 1, width: b - a + 1 }, color);
        }
        return width < 3 ? null : turned(sideways, input, output);
      };
    },
  },
  {
    name: 'connect-edges',
    description: 'A row whose two ends have the same colour is filled with it; other rows stay.',
    smallest: 4,
    rule: (draw) => {
      const sideways = draw.rng.chance(0.5);
      const colors = draw.colors(2);
      return () => {
        const input = draw.blank(3);
        const width = input[0]!.length;
        for (const row of input) {
          if (draw.rng.chance(0.3)) continue;
          row[0] = draw.rng.pick(colors);
          row[width - 1] = draw.rng.pick(colors);
        }
        const output = mapGrid(input, (color, r) =>
          input[r]![0] === input[r]![width - 1] ? input[r]![0]! : color,
        );
        return turned(sideways, input, output);
      };
    },
  },
  {
    name: 'fill-rows-from-edge',
    description: 'Each coloured cell at one side fills its row, or column.',
    rule: (draw) => {
      const sideways = draw.rng.chance(0.5);
      const end = draw.rng.chance(0.5);
      return () => {
        const input = draw.blank(3);
        const key = end ? input[0]!.length - 1 : 0;
        for (const row of input) if (draw.rng.chance(0.5)) row[key] = draw.color();
        const output = mapGrid(input, (_, r) => input[r]![key]!);
        return turned(sideways, input, output);
      };
    },
  },
  {
    name: 'meet-in-the-middle',
    description: 'The two ends of a row fill their halves; a cell of a third colour marks the middle.',
    smallest: 5,
    rule: (draw) => {
      const sideways = draw.rng.chance(0.5);
      const [left, right, middle] = draw.colors(3);
      return () => {
        const input = draw.blank(5);
        const odd = input.map((row) => (row.length % 2 === 0 ? row.slice(1) : row));
        const width = odd[0]!.length;
        const rows = draw.rng.sample([...odd.keys()], draw.count(1, Math.ceil(odd.length / 2)));
        const output = copyGrid(odd);
        for (const r of rows) {
          odd[r]![0] = left!;
          odd[r]![width - 1] = right!;
          const half = (width - 1) / 2;
          for (let c = 0; c < width; c++) output[r]![c] = c < half ? left! : c > half ? right! : middle!;
        }
        return turned(sideways, odd, output);
      };
    },
  },
  {
    name: 'mark-crossings',
    description: 'Where a horizontal and a vertical line cross, the cell is marked.',
    smallest: 4,
    rule: (draw) => {
      const [own, mark] = draw.colors(2);
      return () => {
        const input = draw.blank(4);
        const [height, width] = gridShape(input);
        const rows = draw.lines(height, draw.count(1, Math.floor(height / 3)));
        const columns = draw.lines(width, draw.count(1, Math.floor(width / 3)));
        if (rows === null || columns === null) return null;
        for (const r of rows) input[r]!.fill(own!);
        for (const c of columns) for (const row of input) row[c] = own!;
        const output = copyGrid(input);
        for (const r of rows) for (const c of columns) output[r]![c] = mark!;
        return { input, output };
      };
    },
  },
  {
    name: 'lines-from-marks',
    description: 'Marks in the top row draw columns and marks in the left column draw rows; rows lie on top.',
    smallest: 4,
    rule: (draw) => {
      const [across, down] = draw.colors(2);
      return () => {
        const input = draw.blank(4);
        const [height, width] = gridShape(input);
        const rows = draw.lines(height - 1, draw.rng.int(1, Math.floor(height / 3)));
        const columns = draw.lines(width - 1, draw.rng.int(1, Math.floor(width / 3)));
        if (rows === null || columns === null) return null;
        for (const r of rows) input[r + 1]![0] = across!;
        for (const c of columns) input[0]![c + 1] = down!;
        const output = copyGrid(input);
        for (const c of columns) for (const row of output) row[c + 1] = down!;
        for (const r of rows) output[r + 1]!.fill(across!);
        return { input, output };
      };
    },
  },
  {
    name: 'extend-diagonal',
    description: 'A short diagonal line is continued both ways to the edge.',
    smallest: 4,
    rule: (draw) => () => {
      const input = draw.blank(4);
      const [height, width] = gridShape(input);
      const color = draw.color();
      const direction = draw.rng.pick([-1, 1]);
      const [row, column] = [draw.rng.int(0, height - 2), draw.rng.int(1, width - 2)];
      const output = copyGrid(input);
      for (let step = -30; step <= 30; step++) {
        const [r, c] = [row + step, column + direction * step];
        if (!contains(input, r, c)) continue;
        output[r]![c] = color;
        if (step === 0 || step === 1) input[r]![c] = color;
      }
      return { input, output };
    },
  },
  {
    name: 'lengthen-bars',
    description: 'Every bar that stands at the left side becomes one cell longer.',
    rule: (draw) => {
      const tip = draw.rng.chance(0.5) ? draw.otherColor() : null;
      const sideways = draw.rng.chance(0.5);
      return () => {
        const input = draw.blank(3);
        const width = input[0]!.length;
        const output = copyGrid(input);
        for (const [r, row] of input.entries()) {
          const length = draw.rng.int(0, width - 1);
          const color = draw.color();
          if (length === 0 || color === tip) continue;
          row.fill(color, 0, length);
          output[r]!.fill(color, 0, length);
          output[r]![length] = tip ?? color;
        }
        return turned(sideways, input, output);
      };
    },
  },
]);
