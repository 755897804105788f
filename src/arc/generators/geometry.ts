import {
  colorCounts,
  filledGrid,
  flipLeftRight,
  flipUpsideDown,
  gridShape,
  gridsEqual,
  mapGrid,
  pasteGrid,
  rotateGrid,
  transposeGrid,
} from '../grid.js';
import type { Grid } from '../types.js';
import { straightSteps } from './canvas.js';
import { defineFamily, type GeneratorDefinition } from './define.js';

/** A rule without parameters that works on any picture. */
function wholeGrid(name: string, description: string, transform: (grid: Grid) => Grid): GeneratorDefinition {
  const rule: GeneratorDefinition['rule'] = (draw) => () => {
    const input = draw.picture(2);
    return { input, output: transform(input) };
  };
  return { name, description, rule };
}

/** Remainder that is never negative. */
const wrap = (value: number, length: number) => ((value % length) + length) % length;

/** Moves everything; what leaves the grid is gone. */
function shifted(grid: Grid, down: number, right: number): Grid {
  const moved = filledGrid(...gridShape(grid));
  pasteGrid(moved, grid, down, right);
  return moved;
}

export const geometry = defineFamily('geometry', [
  wholeGrid('flip-left-right', 'Mirror the grid left to right.', flipLeftRight),
  wholeGrid('flip-upside-down', 'Mirror the grid top to bottom.', flipUpsideDown),
  wholeGrid('rotate-left', 'Turn the grid a quarter counterclockwise.', (grid) => rotateGrid(grid, 1)),
  wholeGrid('rotate-right', 'Turn the grid a quarter clockwise.', (grid) => rotateGrid(grid, 3)),
  wholeGrid('rotate-half', 'Turn the grid by half a turn.', (grid) => rotateGrid(grid, 2)),
  wholeGrid('transpose', 'Swap rows and columns.', transposeGrid),
  wholeGrid('transpose-other-diagonal', 'Mirror the grid along the diagonal from the bottom left.', (grid) =>
    rotateGrid(transposeGrid(grid), 2),
  ),
  {
    name: 'roll',
    description: 'Move everything one way; what leaves at one side comes back at the other.',
    rule: (draw) => {
      const [down, right] = draw.rng.pick(straightSteps);
      const steps = draw.rng.int(1, 2);
      return () => {
        const input = draw.picture(3);
        const [height, width] = gridShape(input);
        const output = mapGrid(
          input,
          (_, r, c) => input[wrap(r - down * steps, height)]![wrap(c - right * steps, width)]!,
        );
        // something comes back, or this might be `shift`
        return gridsEqual(output, shifted(input, down * steps, right * steps)) ? null : { input, output };
      };
    },
  },
  {
    name: 'shift',
    description: 'Move everything one way; what leaves is gone.',
    rule: (draw) => {
      const [down, right] = draw.rng.pick(straightSteps);
      const steps = draw.rng.int(1, 2);
      return () => {
        const input = draw.picture(3);
        const output = shifted(input, down * steps, right * steps);
        // something leaves, or this might be `roll`
        return colorCounts(output)[0] === colorCounts(input)[0] ? null : { input, output };
      };
    },
  },
  {
    name: 'shear',
    description: 'Roll each row one cell further than the row above it.',
    rule: (draw) => {
      const direction = draw.rng.pick([-1, 1]);
      return () => {
        const input = draw.picture(3);
        const [, width] = gridShape(input);
        const output = mapGrid(input, (_, r, c) => input[r]![wrap(c - direction * r, width)]!);
        return { input, output };
      };
    },
  },
]);
