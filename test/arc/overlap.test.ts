import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { augmentTask, drawAugmentation, swapTrainAndTest } from '../../src/arc/augmentation.js';
import { tasksInCommon } from '../../src/arc/overlap.js';
import type { Dataset, Task } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';

const dataset = (tasks: Record<string, Task>): Dataset =>
  new Map(Object.entries(tasks).map(([id, task]) => [id, [task]]));

function randomTask(rng: Rng, { train = 3, test = 1, colors = 4 } = {}): Task {
  const grid = () => {
    const [height, width] = [rng.int(2, 5), rng.int(2, 5)];
    return Array.from({ length: height }, () => Array.from({ length: width }, () => rng.int(0, colors)));
  };
  const samples = (count: number) => Array.from({ length: count }, () => ({ input: grid(), output: grid() }));
  return { train: samples(train), test: samples(test) };
}

describe('tasksInCommon', () => {
  test('finds a task under any symmetry, colours and order, also where the test is an example', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.integer({ min: 1, max: 2 }), (seed, count) => {
        const rng = Rng.of(seed);
        const task = randomTask(rng, { test: count });
        const changed = augmentTask(
          swapTrainAndTest(task, rng),
          drawAugmentation(rng, { keepBackground: 0, trainSamples: 3 }),
        );
        const other = randomTask(rng);
        const training = [dataset({ x: other }), dataset({ y: changed })];
        expect(tasksInCommon(dataset({ a: task, b: randomTask(rng) }), training)).toEqual(['a']);
      }),
      { numRuns: 100 },
    );
  });

  test('one exchange of colours must serve all samples', () => {
    const sample = (a: number, b: number) => ({ input: [[a, a, 0]], output: [[b, b, b]] });
    const task = { train: [sample(1, 2), sample(3, 4)], test: [sample(5, 6)] };
    const same = { train: [sample(3, 9), sample(4, 5)], test: [sample(7, 8)] };
    const mixed = { train: [sample(3, 9), sample(9, 3)], test: [sample(7, 8)] };
    expect(tasksInCommon(dataset({ a: task }), [dataset({ x: same })])).toEqual(['a']);
    expect(tasksInCommon(dataset({ a: task }), [dataset({ x: mixed })])).toEqual([]);
  });

  test('a task without its test sample is no leak, and one with more samples is', () => {
    const task = randomTask(Rng.of(1));
    const [first, ...rest] = task.train;
    const withoutTest = { train: rest, test: [first!] };
    expect(tasksInCommon(dataset({ a: task }), [dataset({ x: withoutTest })])).toEqual([]);
    const more = { train: [...task.train, ...task.test, ...randomTask(Rng.of(2)).train], test: [] } as Task;
    expect(tasksInCommon(dataset({ a: task }), [dataset({ x: more })])).toEqual(['a']);
    const unsolved = { train: task.train, test: [{ input: task.test[0]!.input }] };
    expect(tasksInCommon(dataset({ a: unsolved }), [dataset({ x: more })])).toEqual([]);
  });

  test('the same text twice, and nothing in common', () => {
    const tasks = Array.from({ length: 20 }, (_, i) => randomTask(Rng.of(i, 'set')));
    const set = (from: number, to: number) =>
      dataset(Object.fromEntries(tasks.slice(from, to).map((task, i) => [`t${from + i}`, task])));
    expect(tasksInCommon(set(0, 10), [set(10, 20)])).toEqual([]);
    expect(tasksInCommon(set(0, 12), [set(8, 20)])).toEqual(['t8', 't9', 't10', 't11']);
  });
});
