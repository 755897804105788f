import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { augmentTask, identityAugmentation } from '../../src/arc/augmentation.js';
import type { Task } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import { type AugmentationToggles, TaskViews } from '../../src/session/views.js';

/** A task without symmetry, whose train samples differ, with these colours. */
function makeTask(seed: number, trainSamples: number, colors: readonly number[]): Task {
  const rng = Rng.of(seed, 'task');
  const grid = () => Array.from({ length: 5 }, () => Array.from({ length: 6 }, () => rng.pick(colors)));
  const train = Array.from({ length: trainSamples }, () => ({ input: grid(), output: grid() }));
  // the answer has a colour that nothing else has: a model is not shown it
  return { train, test: [{ input: grid(), output: [[9]] }] };
}

/** What a model is shown of a task. */
const shown = ({ train, test }: Task) => JSON.stringify([train, test.map(({ input }) => input)]);
const symmetryOf = ({ flip, rotations }: { flip: boolean; rotations: number }) => `${flip} ${rotations}`;
const firstViews = (views: TaskViews, count: number) => Array.from({ length: count }, (_, i) => views.at(i));

const bools = fc.boolean();
const anyToggles: fc.Arbitrary<AugmentationToggles> = fc.record({
  geometricAugmentation: bools,
  colorAugmentation: bools,
  orderAugmentation: bools,
});

describe('TaskViews', () => {
  it('begins with the plain task and gives eight views the eight symmetries, and the next eight too', () => {
    for (let seed = 0; seed < 200; seed++) {
      const views = new TaskViews(seed, 'a', makeTask(seed, 3, [0, 1, 2, 3]), {});
      expect(views.at(0)).toEqual(identityAugmentation);
      for (const start of [0, 8, 16]) {
        const eight = Array.from({ length: 8 }, (_, i) => symmetryOf(views.at(start + i)));
        expect(new Set(eight).size).toBe(8);
      }
    }
  });

  it('orders the symmetries differently for each task and seed', () => {
    const task = makeTask(1, 2, [0, 1]);
    const orders = ['a', 'b', 'c', 'd'].flatMap((taskId) =>
      [1, 2, 3].map((seed) =>
        firstViews(new TaskViews(seed, taskId, task, {}), 8)
          .map(symmetryOf)
          .join(),
      ),
    );
    expect(new Set(orders).size).toBeGreaterThan(9);
  });

  it('changes colours and order from the ninth on', () => {
    const task = makeTask(2, 4, [0, 3, 5]);
    const views = firstViews(new TaskViews(7, 'a', task, {}), 64);
    for (let first = 0; first < 8; first++) {
      const same = views.filter((_, i) => i % 8 === first);
      const colors = same.map(({ colorMap }) => [0, 3, 5].map((color) => colorMap[color]).join());
      expect(new Set(colors).size).toBe(8);
      const orders = same.map(({ trainOrder = [0, 1, 2, 3] }) => trainOrder.join());
      expect(new Set(orders).size).toBe(8);
    }
  });

  it('shows a model something else each time, until everything was shown', () => {
    const sizes = fc.record({
      seed: fc.nat(1000),
      samples: fc.integer({ min: 1, max: 4 }),
      colors: fc.integer({ min: 2, max: 9 }),
      toggles: anyToggles,
    });
    fc.assert(
      fc.property(sizes, ({ seed, samples, colors, toggles }) => {
        const task = makeTask(seed, samples, [0, 1, 2, 3, 4, 5, 6, 7, 8].slice(0, colors));
        const views = new TaskViews(seed, 'a', task, toggles);
        const count = Math.min(views.total, 200);
        const seen = new Set(firstViews(views, count).map((view) => shown(augmentTask(task, view))));
        expect(seen.size).toBe(count);
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  it.each<[string, AugmentationToggles, number, number[], number]>([
    [
      'nothing',
      { geometricAugmentation: false, colorAugmentation: false, orderAugmentation: false },
      3,
      [0, 1],
      1,
    ],
    ['symmetries', { colorAugmentation: false, orderAugmentation: false }, 3, [0, 1], 8],
    ['order', { geometricAugmentation: false, colorAugmentation: false }, 4, [0, 1], 24],
    ['colours', { geometricAugmentation: false, orderAugmentation: false }, 3, [0, 4], 90],
    ['order and colours', { geometricAugmentation: false }, 2, [0, 4], 180],
    ['all', {}, 2, [5, 4], 1440],
  ])('counts all that there are: %s', (_, toggles, samples, colors, expected) => {
    const task = makeTask(5, samples, colors);
    const views = new TaskViews(1, 'a', task, toggles);
    expect(views.total).toBe(expected);
    const seen = new Set(firstViews(views, expected).map((view) => shown(augmentTask(task, view))));
    expect(seen.size).toBe(expected);
    // there are no others, so they begin again
    expect(views.at(expected + 1)).toEqual(views.at(1 % expected));
  });

  it('changes only what it may', () => {
    fc.assert(
      fc.property(anyToggles, fc.nat(100), (toggles, i) => {
        const view = new TaskViews(4, 'a', makeTask(4, 3, [0, 1, 2]), toggles).at(i);
        if (!toggles.geometricAugmentation) expect(symmetryOf(view)).toBe('false 0');
        if (!toggles.colorAugmentation) expect(view.colorMap).toEqual(identityAugmentation.colorMap);
        if (!toggles.orderAugmentation) expect(view.trainOrder).toBeUndefined();
      }),
    );
  });

  it('is the same however it is asked', () => {
    const make = () => new TaskViews(9, 'a', makeTask(9, 3, [0, 1, 2]), {});
    const inOrder = firstViews(make(), 20);
    expect(make().at(19)).toEqual(inOrder[19]);
  });
});
