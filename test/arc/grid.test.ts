import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  colorCounts,
  connectedComponents,
  contentBox,
  cropGrid,
  flipLeftRight,
  flipUpsideDown,
  gridKey,
  gridShape,
  gridsEqual,
  joinColumns,
  joinRows,
  padGrid,
  rotateGrid,
  transposeGrid,
  turnGrid,
  upscaleGrid,
} from '../../src/arc/grid.js';
import { grids } from './arbitraries.js';

const grid = [
  [1, 2, 3],
  [4, 5, 6],
];

describe('grid helpers', () => {
  it('turn a grid as numpy does', () => {
    expect(rotateGrid(grid, 1)).toEqual([
      [3, 6],
      [2, 5],
      [1, 4],
    ]); // np.rot90(grid)
    expect(rotateGrid(grid, 2)).toEqual([
      [6, 5, 4],
      [3, 2, 1],
    ]);
    expect(rotateGrid(grid, 3)).toEqual([
      [4, 1],
      [5, 2],
      [6, 3],
    ]);
    expect(flipLeftRight(grid)).toEqual([
      [3, 2, 1],
      [6, 5, 4],
    ]);
    expect(flipUpsideDown(grid)).toEqual([
      [4, 5, 6],
      [1, 2, 3],
    ]);
    expect(transposeGrid(grid)).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
  });

  it('turn in one pass as in three', () => {
    const map = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7];
    fc.assert(
      fc.property(grids(8), fc.boolean(), fc.integer({ min: 0, max: 3 }), (any, flip, rotations) => {
        let slow = flip ? any.map((row) => row.toReversed()) : any.map((row) => row.slice());
        for (let i = 0; i < rotations; i++) slow = rotateGrid(slow, 1);
        slow = slow.map((row) => row.map((color) => map[color]!));
        expect(turnGrid(any, flip, rotations, map)).toEqual(slow);
      }),
    );
  });

  it('have equal keys exactly for equal grids', () => {
    fc.assert(
      fc.property(grids(2), grids(2), (a, b) => {
        expect(gridKey(a) === gridKey(b)).toBe(gridsEqual(a, b));
        expect(gridsEqual(a, b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 500 },
    );
    expect(gridKey([[1, 2]])).not.toBe(gridKey([[1], [2]]));
  });

  it('scale, pad, join and crop', () => {
    expect(upscaleGrid([[1, 2]], 2, 3)).toEqual([
      [1, 1, 1, 2, 2, 2],
      [1, 1, 1, 2, 2, 2],
    ]);
    expect(padGrid([[1]], { top: 1, bottom: 0, left: 0, right: 2 }, 7)).toEqual([
      [7, 7, 7],
      [1, 7, 7],
    ]);
    expect(joinColumns([[1], [2]], [[3], [4]])).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(joinRows([[1, 2]], [[3, 4]])).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(cropGrid(grid, { top: 1, left: 1, height: 1, width: 2 })).toEqual([[5, 6]]);
    expect(
      contentBox([
        [0, 0, 0],
        [0, 5, 0],
        [0, 0, 6],
      ]),
    ).toEqual({ top: 1, left: 1, height: 2, width: 2 });
    expect(contentBox([[0]])).toBeNull();
    expect(colorCounts(grid)).toEqual([0, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
  });
});

describe('connectedComponents', () => {
  const picture = [
    [1, 1, 0, 2],
    [0, 1, 0, 0],
    [3, 0, 1, 0],
  ];

  it('separates colours, and corners unless asked', () => {
    const plain = connectedComponents(picture);
    expect(plain.map(({ color, cells }) => [color, cells.length])).toEqual([
      [1, 3],
      [2, 1],
      [3, 1],
      [1, 1],
    ]);
    expect(plain[0]).toMatchObject({ top: 0, left: 0, height: 2, width: 2 });
    const diagonal = connectedComponents(picture, { diagonal: true });
    expect(diagonal.map(({ cells }) => cells.length)).toEqual([4, 1, 1]);
    const mixed = connectedComponents(picture, { diagonal: true, mixColors: true });
    expect(mixed.map(({ cells }) => cells.length)).toEqual([5, 1]);
    expect(connectedComponents(picture, { background: -1 })).toHaveLength(7);
  });

  it('covers every cell that is not background exactly once', () => {
    fc.assert(
      fc.property(grids(8), fc.boolean(), (any, diagonal) => {
        const [height, width] = gridShape(any);
        const cells = connectedComponents(any, { diagonal }).flatMap((component) => component.cells);
        expect(new Set(cells.map(([r, c]) => r * width + c)).size).toBe(cells.length);
        expect(cells.length).toBe(height * width - colorCounts(any)[0]!);
      }),
    );
  });
});
