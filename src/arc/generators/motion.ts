import {
  type Component,
  copyGrid,
  filledGrid,
  type GridCell,
  gridShape,
  type MutableGrid,
  rotateGrid,
} from '../grid.js';
import type { Grid } from '../types.js';
import { cellsOf, diagonalSteps, paint, paintRay, straightSteps } from './canvas.js';
import { defineFamily, type GeneratorDefinition } from './define.js';

/** Lets every cell fall to the bottom of its column. */
function fall(grid: Grid): MutableGrid {
  const [height, width] = gridShape(grid);
  const fallen = filledGrid(height, width);
  for (let c = 0; c < width; c++) {
    let floor = height - 1;
    for (let r = height - 1; r >= 0; r--) {
      if (grid[r]![c] !== 0) fallen[floor--]![c] = grid[r]![c]!;
    }
  }
  return fallen;
}

/** Lets objects fall as a whole until none of them can fall any further. */
function fallObjects(grid: Grid, objects: readonly Component[]): MutableGrid {
  const fallen = copyGrid(grid);
  const depths = objects.map(() => 0);
  for (let moved = true; moved; ) {
    moved = false;
    for (const [i, { cells, color }] of objects.entries()) {
      const at = (depth: number) => cells.map(([r, c]): GridCell => [r + depth, c]);
      paint(fallen, at(depths[i]!), 0);
      while (at(depths[i]! + 1).every(([r, c]) => fallen[r]?.[c] === 0)) {
        depths[i]!++;
        moved = true;
      }
      paint(fallen, at(depths[i]!), color);
    }
  }
  return fallen;
}

/** Points that send lines out in some directions; drawn in each of them to the edge. */
function rays(
  name: string,
  description: string,
  directions: (pick: <T>(items: readonly T[]) => T) => readonly (readonly [number, number])[],
): GeneratorDefinition {
  return {
    name,
    description,
    rule: (draw) => {
      const steps = directions((items) => draw.rng.pick(items));
      return () => {
        const input = draw.blank(3);
        const most = Math.max(1, Math.floor(Math.min(...gridShape(input)) / 3));
        const points = draw.objects(input, { least: 1, most: most, cells: [1, 1] });
        if (points === null) return null;
        const output = copyGrid(input);
        // lines of different colours that cross would leave open which one lies on top
        const crossed = points.length > 1 ? points[0]!.color : 0;
        if (crossed)
          for (const { cells } of points) for (const grid of [input, output]) paint(grid, cells, crossed);
        for (const { top, left, color } of points) {
          for (const step of steps) paintRay(output, [top, left], step, crossed || color);
        }
        return { input, output };
      };
    },
  };
}

export const motion = defineFamily('motion', [
  {
    name: 'gravity',
    description: 'Every coloured cell falls to one side of the grid.',
    rule: (draw) => {
      const turns = draw.rng.int(0, 3);
      return () => {
        const input = draw.noise(draw.side(3), draw.side(3), draw.rng.pick([0.2, 0.4]));
        return { input, output: rotateGrid(fall(rotateGrid(input, turns)), (4 - turns) % 4) };
      };
    },
  },
  {
    name: 'gravity-objects',
    description: 'Every object falls to one side of the grid without losing its shape.',
    smallest: 4,
    rule: (draw) => {
      const turns = draw.rng.int(0, 3);
      return () => {
        const grid = draw.blank(4);
        const objects = draw.objects(grid, { least: 1, cells: [2, 4] });
        if (objects === null) return null;
        const output = fallObjects(grid, objects);
        return { input: rotateGrid(grid, turns), output: rotateGrid(output, turns) };
      };
    },
  },
  {
    name: 'move-to-wall',
    description: 'Single cells move straight to a wall that is drawn at one side.',
    smallest: 4,
    rule: (draw) => {
      const [wall, ...others] = draw.colors(Math.max(2, draw.knobs.colors));
      const turns = draw.rng.int(0, 3);
      return () => {
        const grid = draw.noise(draw.side(4) - 1, draw.side(3), 0.2, others);
        const bottom = () => new Array<number>(grid[0]!.length).fill(wall!);
        const input = [...grid, bottom()];
        const output = [...fall(grid), bottom()];
        return { input: rotateGrid(input, turns), output: rotateGrid(output, turns) };
      };
    },
  },
  rays('shoot-rays', 'Every point draws a line one way to the edge.', (pick) => [pick(straightSteps)]),
  rays('shoot-diagonals', 'Every point draws a diagonal line one way to the edge.', (pick) => [
    pick(diagonalSteps),
  ]),
  rays('cross-rays', 'Every point draws lines up, down, left and right to the edge.', () => straightSteps),
  rays('diagonal-cross', 'Every point draws its four diagonals to the edge.', () => diagonalSteps),
  rays('row-or-column', 'Every point draws its whole row, or its whole column.', (pick) =>
    pick([
      [straightSteps[0]!, straightSteps[2]!],
      [straightSteps[1]!, straightSteps[3]!],
    ] as const),
  ),
  {
    name: 'ray-until-wall',
    description: 'Points draw a line one way until an obstacle or the edge stops it.',
    smallest: 4,
    rule: (draw) => {
      const [own, wall] = draw.colors(2);
      const turns = draw.rng.int(0, 3);
      return () => {
        const input = draw.noise(draw.side(4), draw.side(3), 0.12, [wall!]);
        const [height, width] = gridShape(input);
        const columns = draw.rng.sample([...input[0]!.keys()], draw.count(1, Math.ceil(width / 2)));
        for (const c of columns) input[draw.rng.int(0, Math.floor(height / 3))]![c] = own!;
        const output = copyGrid(input);
        let stopped = false;
        const stop = (met: number) => {
          if (met === wall) stopped = true;
          return met === wall;
        };
        for (const cell of cellsOf(input, own!)) paintRay(output, cell, [1, 0], own!, stop);
        return {
          input: rotateGrid(input, turns),
          output: rotateGrid(output, turns),
          uses: stopped ? [1] : [],
        };
      };
    },
  },
  {
    name: 'bounce',
    description: 'A point at one side draws a diagonal that bounces between the two walls.',
    smallest: 4,
    rule: (draw) => {
      const turns = draw.rng.int(0, 3);
      return () => {
        const input = draw.blank(3);
        const [height, width] = gridShape(input);
        const color = draw.color();
        let column = draw.rng.int(0, width - 1);
        let step = column === width - 1 ? -1 : 1;
        input[height - 1]![column] = color;
        const output = copyGrid(input);
        let bounces = false;
        for (let r = height - 2; r >= 0; r--) {
          if (column + step < 0 || column + step >= width) {
            step = -step;
            bounces = true;
          }
          column += step;
          output[r]![column] = color;
        }
        return {
          input: rotateGrid(input, turns),
          output: rotateGrid(output, turns),
          uses: bounces ? [1] : [],
        };
      };
    },
  },
]);
