import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Augmentation,
  augmentGrid,
  augmentTask,
  drawAugmentation,
  drawColorMap,
  identityAugmentation,
  swapTrainAndTest,
  undoAugmentation,
  undoTaskAugmentation,
} from '../../src/arc/augmentation.js';
import { MissingSolutionsError } from '../../src/arc/errors.js';
import type { Task } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import { grids, rngs, tasks } from './arbitraries.js';

const throughJson = (augmentation: Augmentation) => JSON.parse(JSON.stringify(augmentation)) as Augmentation;

/** Pearson's statistic of observed counts against equal ones. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('augmentation', () => {
  it('is undone exactly, from JSON, on any grid', () => {
    fc.assert(
      fc.property(grids(), rngs, (grid, rng) => {
        const augmentation = drawAugmentation(rng, { keepBackground: 0.5 });
        expect(undoAugmentation(augmentGrid(grid, augmentation), throughJson(augmentation))).toEqual(grid);
      }),
      { numRuns: 300 },
    );
  });

  it('is undone exactly on any task, with its order', () => {
    fc.assert(
      fc.property(tasks(), rngs, (task, rng) => {
        const augmentation = drawAugmentation(rng, { trainSamples: task.train.length });
        expect(undoTaskAugmentation(augmentTask(task, augmentation), throughJson(augmentation))).toEqual(
          task,
        );
      }),
    );
  });

  it('does what each part says', () => {
    const grid = [[1, 2]];
    const swap = [0, 2, 1, 3, 4, 5, 6, 7, 8, 9];
    expect(augmentGrid(grid, identityAugmentation)).toEqual(grid);
    expect(augmentGrid(grid, { ...identityAugmentation, flip: true })).toEqual([[2, 1]]);
    expect(augmentGrid(grid, { ...identityAugmentation, rotations: 1 })).toEqual([[2], [1]]);
    expect(augmentGrid(grid, { ...identityAugmentation, colorMap: swap })).toEqual([[2, 1]]);
    const samples = [1, 2, 3].map((color) => ({ input: [[color]], output: [[color]] }));
    const ordered = augmentTask(
      { train: samples, test: [] },
      { ...identityAugmentation, trainOrder: [2, 0, 1] },
    );
    expect(ordered.train).toEqual([samples[2], samples[0], samples[1]]);
    expect(() =>
      augmentTask({ train: samples, test: [] }, { ...identityAugmentation, trainOrder: [0] }),
    ).toThrow(RangeError);
  });

  it('draws all eight symmetries equally often, and colour maps that are permutations', () => {
    const rng = Rng.of(1, 'symmetries');
    const counts = new Array<number>(8).fill(0);
    for (let i = 0; i < 8000; i++) {
      const { flip, rotations, colorMap } = drawAugmentation(rng);
      counts[(flip ? 4 : 0) + rotations]!++;
      expect(new Set(colorMap).size).toBe(10);
    }
    expect(chiSquare(counts)).toBeLessThan(24.3); // p = 0.001, 7 degrees of freedom
    expect(drawAugmentation(rng, { geometricAugmentation: false, colorAugmentation: false })).toEqual(
      identityAugmentation,
    );
  });

  it('keeps the background with probability 0.9, and else moves it anywhere', () => {
    const rng = Rng.of(2, 'background');
    const counts = new Array<number>(10).fill(0);
    const other = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) {
      const map = drawColorMap(rng);
      counts[map[0]!]!++;
      if (map[0] === 0) other[map[3]!]!++;
    }
    expect(Math.abs(counts[0]! / 20_000 - 0.9)).toBeLessThan(0.01); // 4.7 standard deviations
    expect(chiSquare(counts.slice(1))).toBeLessThan(26.1); // p = 0.001, 8 degrees of freedom
    expect(chiSquare(other.slice(1))).toBeLessThan(26.1);
  });
});

describe('swapTrainAndTest', () => {
  const sampleOf = (color: number) => ({ input: [[color]], output: [[color]] });
  const colorOf = (sample: { input: readonly (readonly number[])[] }) => sample.input[0]![0]!;

  it.each([
    [3, 1],
    [2, 2],
    [4, 3],
  ])('makes each of %i train and %i test samples a test sample equally often', (trainCount, testCount) => {
    const all = Array.from({ length: trainCount + testCount }, (_, i) => sampleOf(i));
    const task: Task = { train: all.slice(0, trainCount), test: all.slice(trainCount) };
    const rng = Rng.of(3, trainCount, testCount);
    const asTest = all.map(() => 0);
    const firstTrain = all.map(() => 0);
    const draws = 3000;
    for (let i = 0; i < draws; i++) {
      const swapped = swapTrainAndTest(task, rng);
      expect(swapped.train).toHaveLength(trainCount);
      expect(swapped.test).toHaveLength(testCount);
      const colors = [...swapped.train, ...swapped.test].map(colorOf);
      if (i < 50) expect(colors.toSorted()).toEqual(all.map(colorOf));
      for (const sample of swapped.test) asTest[colorOf(sample)]!++;
      firstTrain[colorOf(swapped.train[0]!)]!++;
    }
    // draws without replacement vary less than the multinomial, so the bound is on the safe side (p < 0.001)
    expect(chiSquare(asTest)).toBeLessThan(22.5);
    expect(chiSquare(firstTrain)).toBeLessThan(22.5);
    expect(Math.min(...asTest)).toBeGreaterThan(0.9 * ((draws * testCount) / all.length));
  });

  it('leaves test samples of unknown output where they are', () => {
    const task: Task = { train: [sampleOf(1), sampleOf(2)], test: [sampleOf(3), { input: [[4]] }] };
    const tests = new Set<number>();
    for (let i = 0; i < 100; i++) {
      const swapped = swapTrainAndTest(task, Rng.of(4, i));
      expect(swapped.test).toHaveLength(2);
      expect(swapped.test[1]).toEqual({ input: [[4]] });
      tests.add(colorOf(swapped.test[0]!));
    }
    expect([...tests].sort()).toEqual([1, 2, 3]);
  });

  it('gives a task without a test set one test sample', () => {
    const task: Task = { train: [sampleOf(1), sampleOf(2), sampleOf(3)], test: [] };
    const swapped = swapTrainAndTest(task, Rng.of(5));
    expect(swapped.train).toHaveLength(2);
    expect(swapped.test).toHaveLength(1);
  });

  it('refuses a task whose outputs are all unknown', () => {
    const task: Task = { train: [sampleOf(1)], test: [{ input: [[4]] }] };
    expect(() => swapTrainAndTest(task, Rng.of(6))).toThrow(MissingSolutionsError);
  });
});
