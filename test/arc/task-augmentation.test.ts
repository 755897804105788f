import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gridShape } from '../../src/arc/grid.js';
import {
  applyTaskAugmentation,
  drawTaskAugmentation,
  type GridTransform,
  type TaskAugmentation,
  transformGrid,
} from '../../src/arc/task-augmentation.js';
import type { Task } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import { rngs, tasks } from './arbitraries.js';

const grid = [
  [1, 2],
  [3, 4],
];
const task: Task = { train: [{ input: grid, output: [[5]] }], test: [{ input: [[6]] }] };

describe('transformGrid', () => {
  const margins = { top: 1, bottom: 0, left: 0, right: 1 };
  it.each<[GridTransform, number[][]]>([
    [
      { kind: 'geometric', flip: true, rotations: 0 },
      [
        [2, 1],
        [4, 3],
      ],
    ],
    [
      { kind: 'padding', margins, color: 7 },
      [
        [7, 7, 7],
        [1, 2, 7],
        [3, 4, 7],
      ],
    ],
    [
      { kind: 'upscaling', rows: 1, columns: 2 },
      [
        [1, 1, 2, 2],
        [3, 3, 4, 4],
      ],
    ],
    [
      { kind: 'mirroring', across: true, down: false, after: true },
      [
        [1, 2, 2, 1],
        [3, 4, 4, 3],
      ],
    ],
    [
      { kind: 'mirroring', across: false, down: true, after: false },
      [
        [3, 4],
        [1, 2],
        [1, 2],
        [3, 4],
      ],
    ],
    [
      { kind: 'colors', colorMap: [0, 9, 8, 7, 6, 5, 4, 3, 2, 1] },
      [
        [9, 8],
        [7, 6],
      ],
    ],
  ])('%j', (transform, expected) => {
    expect(transformGrid(grid, transform)).toEqual(expected);
  });
});

describe('applyTaskAugmentation', () => {
  it('changes one side of all samples, one transform after the other', () => {
    const augmentation: TaskAugmentation = {
      side: 'input',
      transforms: [
        { kind: 'upscaling', rows: 2, columns: 2 },
        { kind: 'colors', colorMap: [0, 2, 1, 3, 4, 5, 7, 6, 8, 9] },
      ],
    };
    const { train, test } = applyTaskAugmentation(task, augmentation);
    expect(train[0]!.output).toEqual([[5]]);
    expect(train[0]!.input[0]).toEqual([2, 2, 1, 1]);
    expect(test).toEqual([
      {
        input: [
          [7, 7],
          [7, 7],
        ],
      },
    ]);
    const outputs = applyTaskAugmentation(task, { ...augmentation, side: 'output' });
    expect(outputs.train[0]).toEqual({
      input: grid,
      output: [
        [5, 5],
        [5, 5],
      ],
    });
    expect(outputs.test).toEqual(task.test);
  });

  it('leaves out what would exceed 30 cells, for the whole task', () => {
    const long: Task = {
      train: [{ input: [new Array<number>(16).fill(1)], output: [[1]] }],
      test: task.test,
    };
    const augmentation: TaskAugmentation = {
      side: 'input',
      transforms: [
        { kind: 'upscaling', rows: 2, columns: 2 },
        { kind: 'upscaling', rows: 3, columns: 1 },
      ],
    };
    const { train, test } = applyTaskAugmentation(long, augmentation);
    expect(gridShape(train[0]!.input)).toEqual([3, 16]);
    expect(gridShape(test[0]!.input)).toEqual([3, 1]);
  });

  it('never makes a grid that is too long, and keeps the other side', () => {
    fc.assert(
      fc.property(tasks(30), rngs, (any, rng) => {
        const augmentation = drawTaskAugmentation(rng, { counts: [0, 1, 1, 1, 1] });
        const other = augmentation.side === 'input' ? 'output' : 'input';
        const changed = applyTaskAugmentation(any, JSON.parse(JSON.stringify(augmentation)));
        for (const part of ['train', 'test'] as const) {
          expect(changed[part].map((sample) => sample[other])).toEqual(
            any[part].map((sample) => sample[other]),
          );
          for (const sample of changed[part]) {
            const [height, width] = gridShape(sample[augmentation.side] ?? [[0]]);
            expect(Math.max(height, width)).toBeLessThanOrEqual(30);
            expect(Math.min(height, width)).toBeGreaterThan(0);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('loses nothing: samples that differ still differ', () => {
    for (let i = 0; i < 300; i++) {
      const { transforms } = drawTaskAugmentation(Rng.of(7, i), { counts: [0, 1, 1] });
      const change = (any: readonly (readonly number[])[]) =>
        JSON.stringify(transforms.reduce(transformGrid, any));
      expect(
        change([
          [1, 2],
          [3, 4],
        ]),
      ).not.toBe(
        change([
          [1, 2],
          [4, 3],
        ]),
      );
      expect(
        change([
          [1, 0],
          [0, 0],
        ]),
      ).not.toBe(
        change([
          [0, 0],
          [0, 1],
        ]),
      );
    }
  });
});

describe('drawTaskAugmentation', () => {
  it('follows the weights', () => {
    const rng = Rng.of(8, 'weights');
    const drawn = Array.from({ length: 2000 }, () =>
      drawTaskAugmentation(rng, {
        counts: [1, 3],
        kinds: { geometric: 0, padding: 1, upscaling: 0, mirroring: 3, colors: 0 },
        sides: { input: 0, output: 1 },
      }),
    );
    const kinds = drawn.flatMap(({ transforms }) => transforms.map(({ kind }) => kind));
    expect(new Set(drawn.map(({ side }) => side))).toEqual(new Set(['output']));
    expect(new Set(kinds)).toEqual(new Set(['padding', 'mirroring']));
    expect(Math.abs(kinds.length / 2000 - 0.75)).toBeLessThan(0.05);
    expect(Math.abs(kinds.filter((kind) => kind === 'mirroring').length / kinds.length - 0.75)).toBeLessThan(
      0.05,
    );
  });

  it('draws no geometric transform that changes nothing', () => {
    for (let i = 0; i < 100; i++) {
      const weights = { padding: 0, upscaling: 0, mirroring: 0, colors: 0, geometric: 1 };
      const { transforms } = drawTaskAugmentation(Rng.of(9, i), { counts: [0, 1], kinds: weights });
      expect(transformGrid(grid, transforms[0]!)).not.toEqual(grid);
    }
  });
});
