import {
  type Box,
  contentBox,
  copyGrid,
  cropGrid,
  flipLeftRight,
  flipUpsideDown,
  gridShape,
  gridsEqual,
  joinColumns,
  joinRows,
  type MutableGrid,
  mapGrid,
  rotateGrid,
  transposeGrid,
} from '../grid.js';
import type { Grid } from '../types.js';
import { paintBox } from './canvas.js';
import { defineFamily } from './define.js';
import type { Draw } from './draw.js';

/** A picture that equals its mirror image left to right. */
function mirrorPicture(draw: Draw, height: number, width: number, colors?: readonly number[]): MutableGrid {
  const half = draw.noise(height, Math.ceil(width / 2), draw.rng.pick([0.5, 0.8]), colors);
  return joinColumns(half, flipLeftRight(half.map((row) => row.slice(0, Math.floor(width / 2)))));
}

/** A picture that equals both of its mirror images. */
function fourfoldPicture(draw: Draw, height: number, width: number, colors?: readonly number[]): MutableGrid {
  const top = mirrorPicture(draw, Math.ceil(height / 2), width, colors);
  return joinRows(top, flipUpsideDown(top.slice(0, Math.floor(height / 2))));
}

/**
 * A picture that equals both of its mirror images, and where a rectangle of the colour `cover` hides a part of it.
 * The rectangle stays within one half each way, so that a mirror image of every hidden cell is seen.
 */
function coveredPicture(draw: Draw, cover: number): { picture: MutableGrid; input: MutableGrid; box: Box } {
  const shown = draw.palette.filter((color) => color !== cover);
  const picture = fourfoldPicture(draw, draw.side(4), draw.side(4), shown);
  const [gridHeight, gridWidth] = gridShape(picture);
  const height = draw.rng.int(1, Math.floor(gridHeight / 2));
  const width = draw.rng.int(1, Math.floor(gridWidth / 2));
  const top = draw.rng.pick([0, gridHeight - height]);
  const left = draw.rng.pick([0, gridWidth - width]);
  const box = { top, left, height, width };
  const input = copyGrid(picture);
  paintBox(input, box, cover);
  return { picture, input, box };
}

export const symmetry = defineFamily('symmetry', [
  {
    name: 'complete-mirror',
    description: 'One half is empty; make it the mirror image of the other half.',
    rule: (draw) => {
      const turns = draw.rng.int(0, 3);
      return () => {
        const output = mirrorPicture(draw, draw.side(2), draw.side(3));
        const [height, width] = gridShape(output);
        const input = copyGrid(output);
        paintBox(input, { top: 0, left: Math.ceil(width / 2), height, width }, 0);
        return { input: rotateGrid(input, turns), output: rotateGrid(output, turns) };
      };
    },
  },
  {
    name: 'complete-fourfold',
    description: 'Only one quarter is drawn; mirror it into the other three.',
    rule: (draw) => {
      const turns = draw.rng.int(0, 3);
      return () => {
        const output = fourfoldPicture(draw, draw.side(3), draw.side(3));
        const [height, width] = gridShape(output);
        const input = mapGrid(output, (color, r, c) =>
          r < Math.ceil(height / 2) && c < Math.ceil(width / 2) ? color : 0,
        );
        return { input: rotateGrid(input, turns), output: rotateGrid(output, turns) };
      };
    },
  },
  {
    name: 'complete-rotation',
    description: 'Only one quarter is drawn; turn it around the centre into the other three.',
    smallest: 4,
    rule: (draw) => () => {
      const half = draw.side(2, Math.floor(draw.knobs.maxSize / 2));
      const quarter = draw.noise(half, half, 0.6);
      const output = joinRows(
        joinColumns(quarter, rotateGrid(quarter, 3)),
        joinColumns(rotateGrid(quarter, 1), rotateGrid(quarter, 2)),
      );
      return { input: mapGrid(output, (color, r, c) => (r < half && c < half ? color : 0)), output };
    },
  },
  {
    name: 'repair-symmetry',
    description: 'A rectangle hides a part of a symmetric picture; draw what is below it.',
    smallest: 4,
    rule: (draw) => {
      const cover = draw.otherColor();
      return () => {
        const { picture, input } = coveredPicture(draw, cover);
        return { input, output: picture };
      };
    },
  },
  {
    name: 'crop-hidden-part',
    description: 'A rectangle hides a part of a symmetric picture; answer with the hidden part alone.',
    smallest: 4,
    rule: (draw) => {
      const cover = draw.otherColor();
      return () => {
        const { picture, input, box } = coveredPicture(draw, cover);
        return { input, output: cropGrid(picture, box) };
      };
    },
  },
  {
    name: 'is-symmetric',
    description: 'Answer with one colour if the grid equals its mirror image, with another one if not.',
    rule: (draw) => {
      const [own, yes, no] = draw.colors(3);
      return () => {
        const [height, width] = [draw.side(3), draw.side(3)];
        const half = draw.noise(height, Math.ceil(width / 2), 0.5, [own!]);
        const other = flipLeftRight(half.map((row) => row.slice(0, Math.floor(width / 2))));
        const input = joinColumns(half, other);
        if (draw.rng.chance(0.5)) {
          const [[r, c]] = draw.cells(height, Math.floor(width / 2), 1) as [[number, number]];
          input[r]![c] = input[r]![c] === 0 ? own! : 0;
        }
        const symmetric = gridsEqual(input, flipLeftRight(input));
        return { input, output: [[symmetric ? yes! : no!]], uses: [symmetric ? 1 : 0] };
      };
    },
  },
  {
    name: 'mirror-over-line',
    description: 'What stands at one side of a line is mirrored to the other side.',
    smallest: 5,
    rule: (draw) => {
      const [line, ...others] = draw.colors(Math.max(2, draw.knobs.colors));
      const turn = draw.rng.chance(0.5) ? transposeGrid : (grid: Grid) => grid;
      return () => {
        const height = draw.side(3);
        const width = draw.side(2, Math.floor((draw.knobs.maxSize - 1) / 2));
        const left = draw.noise(height, width, 0.4, others);
        const middle = left.map(() => [line!]);
        const empty = left.map((row) => row.map(() => 0));
        if (contentBox(left) === null) return null;
        const sides: [Grid, Grid] = draw.rng.chance(0.5) ? [left, empty] : [empty, flipLeftRight(left)];
        return {
          input: turn(joinColumns(sides[0], middle, sides[1])),
          output: turn(joinColumns(left, middle, flipLeftRight(left))),
        };
      };
    },
  },
  {
    name: 'add-mirror-image',
    description: 'Lay the mirror image of the grid over the empty cells of the grid.',
    rule: (draw) => {
      const flip = draw.rng.pick([flipLeftRight, flipUpsideDown]);
      const own = draw.color();
      return () => {
        const input = draw.noise(draw.side(3), draw.side(3), 0.3, [own]);
        const mirrored = flip(input);
        return { input, output: mapGrid(input, (color, r, c) => color || mirrored[r]![c]!) };
      };
    },
  },
]);
