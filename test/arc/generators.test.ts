import { describe, expect, it } from 'vitest';
import { GeneratorError } from '../../src/arc/errors.js';
import { generateTask, generateTasks, selectGenerators } from '../../src/arc/generate.js';
import { generatorFamilies, generators } from '../../src/arc/generators/index.js';
import { colorCounts, gridKey, gridShape, gridsEqual } from '../../src/arc/grid.js';
import type { Grid, Sample, Task } from '../../src/arc/types.js';
import { validateGrid } from '../../src/arc/validate.js';

const all = Object.values(generators);
const samplesOf = ({ train, test }: Task) => [...train, ...test] as Sample[];

describe('the library', () => {
  it('has at least 100 generators in at least 12 families, each with its own name and description', () => {
    expect(all.length).toBeGreaterThanOrEqual(100);
    expect(generatorFamilies.length).toBeGreaterThanOrEqual(12);
    expect(new Set(all.map(({ description }) => description)).size).toBe(all.length);
    for (const { name } of all) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  it('works on 5×5 grids, all but a few', () => {
    const larger = all.filter(({ smallest }) => smallest > 5).map(({ name }) => name);
    expect(larger).toEqual(['repeat-by-colors']);
  });
});

describe.each([
  { maxSize: 5, minSize: 3 },
  { maxSize: 6, minSize: 6, colors: 2, objects: 1, trainSamples: [2, 5] as [number, number] },
  { maxSize: 16, colors: 9, objects: 10, testSamples: 2, trainSamples: 4 },
  { maxSize: 30, minSize: 20, colors: 1, trainSamples: 1 },
])('with %j', (knobs) => {
  const fitting = all.filter(({ smallest }) => smallest <= knobs.maxSize);

  it.each(fitting.map(({ name }) => name))('%s makes tasks that show their rule', (name) => {
    for (let index = 0; index < 4; index++) {
      const task = generateTask(name, 11, index, knobs);
      const samples = samplesOf(task);
      expect(task.test).toHaveLength(knobs.testSamples ?? 1);
      for (const { input, output } of samples) {
        for (const grid of [input, output]) {
          validateGrid(grid, name);
          expect(Math.max(...gridShape(grid))).toBeLessThanOrEqual(knobs.maxSize);
        }
        expect(gridsEqual(input, output)).toBe(false);
      }
      expect(new Set(samples.map(({ input }) => gridKey(input))).size).toBe(samples.length);
      if (task.train.length > 1) {
        expect(new Set(samples.map(({ output }) => gridKey(output))).size).toBeGreaterThan(1);
      }
      // the same seed gives the same task, another seed another one
      expect(generateTask(name, 11, index, knobs)).toEqual(task);
      expect(generateTask(name, 12, index, knobs)).not.toEqual(task);
    }
  });
});

/** What the rule says, written anew; its parameters are read from the train samples. */
const rules: Record<string, (input: Grid, task: Task) => Grid> = {
  'flip-left-right': (input) => input.map((row) => row.toReversed()),
  'rotate-half': (input) => input.toReversed().map((row) => row.toReversed()),
  transpose: (input) => input[0]!.map((_, c) => input.map((row) => row[c]!)),
  'tile-mirrored': (input) => {
    const wide = input.map((row) => [...row, ...row.toReversed()]);
    return [...wide, ...wide.toReversed()];
  },
  'fill-with-majority': (input) => {
    const counts = colorCounts(input);
    return input.map((row) => row.map(() => counts.indexOf(Math.max(...counts))));
  },
  peel: (input) => input.slice(1, -1).map((row) => row.slice(1, -1)),
  'most-frequent-color': (input) => {
    const counts = colorCounts(input).with(0, 0);
    return [[counts.indexOf(Math.max(...counts))]];
  },
  'cross-rays': (input) =>
    input.map((row, r) =>
      row.map((_, c) => Math.max(...row, ...input.map((other) => other[c]!), input[r]![c]!)),
    ),
  unroll: (input) => [input.flat().filter((color) => color > 0)],
  'checkerboard-from-two': (input) =>
    input.map((row, r) => row.map((_, c) => input[0]![(r + c) % 2 === 0 ? 0 : 1]!)),
  'sort-rows-by-count': (input, { train }) => {
    const cells = (row: readonly number[]) => row.filter((color) => color > 0).length;
    const ascending = cells(train[0]!.output[0]!) < cells(train[0]!.output.at(-1)!);
    return input.toSorted((a, b) => (ascending ? cells(a) - cells(b) : cells(b) - cells(a)));
  },
  'recolor-map': (input, { train }) => {
    const map = new Map<number, number>();
    for (const sample of train) {
      sample.input.forEach((row, r) => {
        row.forEach((color, c) => {
          map.set(color, sample.output[r]![c]!);
        });
      });
    }
    return input.map((row) => row.map((color) => map.get(color)!));
  },
  'count-to-color': (input, { train }) => {
    // single-linked groups of coloured cells, counted by union of neighbours
    const count = (grid: Grid) => {
      const group = grid.map((row, r) => row.map((color, c) => (color > 0 ? r * 100 + c : -1)));
      for (let pass = 0; pass < 100; pass++) {
        group.forEach((row, r) => {
          row.forEach((own, c) => {
            for (const near of [group[r - 1]?.[c], group[r + 1]?.[c], row[c - 1], row[c + 1]]) {
              if (own >= 0 && near !== undefined && near > row[c]!) row[c] = near;
            }
          });
        });
      }
      return new Set(group.flat().filter((id) => id >= 0)).size;
    };
    return train.find((sample) => count(sample.input) === count(input))!.output;
  },
};

describe('rules', () => {
  it.each(Object.keys(rules))('%s: every output, the test too, is what the train samples say', (name) => {
    for (let index = 0; index < 20; index++) {
      const task = generateTask(name, 5, index, { maxSize: 9 });
      for (const { input, output } of samplesOf(task)) expect(rules[name]!(input, task)).toEqual(output);
    }
  });

  it('gravity keeps the cells of each line and leaves no gap on one side', () => {
    for (let index = 0; index < 30; index++) {
      const { train, test } = generateTask('gravity', 6, index);
      const settled = (grid: Grid) => grid.every((row) => !/[1-9]0/.test(row.join('')));
      const turn = (grid: Grid): Grid => grid[0]!.map((_, c) => grid.map((row) => row.at(-1 - c)!));
      let outputs = [...train, ...test].map((sample) => sample.output!);
      let ways = 0;
      for (let turns = 0; turns < 4; turns++) {
        if (outputs.every(settled)) ways++;
        outputs = outputs.map(turn);
      }
      expect(ways).toBeGreaterThan(0);
      for (const { input, output } of samplesOf({ train, test })) {
        expect(colorCounts(output)).toEqual(colorCounts(input));
      }
    }
  });
});

describe('generateTasks', () => {
  it('takes turns among the generators, and each task depends on seed, name, index and knobs only', () => {
    const both = generateTasks({ count: 5, seed: 3, generators: ['gravity', 'tile'], maxSize: 6 });
    expect([...both.keys()]).toEqual(['gravity-0', 'tile-0', 'gravity-1', 'tile-1', 'gravity-2']);
    const one = generateTasks({ count: 3, seed: 3, generators: ['gravity'], maxSize: 6 });
    expect(one.get('gravity-2')).toEqual(both.get('gravity-2'));
    expect(generateTasks({ count: 3, seed: 4, generators: ['gravity'], maxSize: 6 })).not.toEqual(one);
  });

  it('varies the kinds of a small data set, and uses what fits', () => {
    const names = [...generateTasks({ count: 30, seed: 1, maxSize: 4 }).keys()].map((id) =>
      id.replace(/-\d+$/, ''),
    );
    expect(new Set(names).size).toBe(30);
    expect(new Set(names.map((name) => generators[name]!.family)).size).toBeGreaterThan(6);
    for (const name of names) expect(generators[name]!.smallest).toBeLessThanOrEqual(4);
    const families = [...generateTasks({ count: 20, seed: 1, families: ['logic'] }).keys()];
    for (const id of families) expect(generators[id.replace(/-\d+$/, '')]!.family).toBe('logic');
  });

  it('draws the number of train samples from a range', () => {
    const dataset = generateTasks({ count: 60, seed: 1, trainSamples: [2, 4], maxSize: 6 });
    const counts = new Set([...dataset.values()].map(([task]) => task!.train.length));
    expect([...counts].sort()).toEqual([2, 3, 4]);
  });

  it.each([
    [{ generators: ['gravty'] }, 'Unknown generator "gravty". Known: flip-left-right, '],
    [{ families: ['none'] }, 'Unknown family of generators "none". Known: geometry, '],
    [{ generators: ['keep-largest'], maxSize: 4 }, '"keep-largest" needs grids of up to 5'],
    [{ generators: ['gravity'], families: ['logic'] }, 'No generator left'],
    [{ maxSize: 31 }, 'maximum size: expected an integer from 3 to 30, got 31'],
    [{ minSize: 7, maxSize: 6 }, 'minimum size: expected an integer from 1 to 6, got 7'],
    [{ trainSamples: 0 }, 'train samples'],
    [{ colors: 10 }, 'colors'],
  ])('refuses %j', (options, message) => {
    expect(() => generateTasks({ count: 1, seed: 0, ...options })).toThrow(GeneratorError);
    expect(() => generateTasks({ count: 1, seed: 0, ...options })).toThrow(message);
  });

  it('makes 500 tasks in less than five seconds', () => {
    const start = performance.now();
    generateTasks({ count: 500, seed: 9 });
    expect(performance.now() - start).toBeLessThan(5000);
    expect(selectGenerators({}, 30)).toHaveLength(all.length);
  });
});
