import { describe, expect, it } from 'vitest';
import { GeneratorError } from '../../src/arc/errors.js';
import { generateTask, generateTasks, selectGenerators } from '../../src/arc/generate.js';
import { generatorFamilies, generators } from '../../src/arc/generators/index.js';
import {
  colorCounts,
  connectedComponents,
  cropGrid,
  gridKey,
  gridShape,
  gridsEqual,
} from '../../src/arc/grid.js';
import type { Grid, Sample, Task } from '../../src/arc/types.js';
import { validateGrid } from '../../src/arc/validate.js';
import { UserError } from '../../src/common/errors.js';

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
  { maxSize: 30, minSize: 20, colors: 9, objects: 8 },
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
        // a blank input shows nothing, a blank output says nothing
        for (const grid of [input, output]) expect(colorCounts(grid)[0]).toBeLessThan(grid.flat().length);
      }
      expect(new Set(samples.map(({ input }) => gridKey(input))).size).toBe(samples.length);
      if (task.train.length > 1) {
        expect(new Set(task.train.map(({ output }) => gridKey(output))).size).toBeGreaterThan(1);
      }
      // the same seed gives the same task, another seed another one
      expect(generateTask(name, 11, index, knobs)).toEqual(task);
      expect(generateTask(name, 12, index, knobs)).not.toEqual(task);
    }
  });
});

/** Fills the empty cells of a pattern that repeats; fails when two periods would do and give different grids. */
function fillWallpaper(input: Grid): Grid {
  const filled = [1, 2, 3].flatMap((height) =>
    [1, 2, 3].flatMap((width) => {
      const seen = new Map<string, Set<number>>();
      const place = (r: number, c: number) => `${r % height},${c % width}`;
      input.forEach((row, r) => {
        row.forEach((color, c) => {
          const colors = seen.get(place(r, c)) ?? new Set();
          seen.set(place(r, c), color > 0 ? colors.add(color) : colors);
        });
      });
      const repeats = [...seen.values()].every(({ size }) => size === 1);
      return repeats ? [input.map((row, r) => row.map((_, c) => [...seen.get(place(r, c))!][0]!))] : [];
    }),
  );
  expect(new Set(filled.map(gridKey)).size).toBe(1);
  return filled[0]!;
}

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
  'keep-largest': (input) => {
    const largest = connectedComponents(input).reduce((a, b) => (b.cells.length > a.cells.length ? b : a));
    const kept = new Set(largest.cells.map(String));
    return input.map((row, r) => row.map((color, c) => (kept.has(`${r},${c}`) ? color : 0)));
  },
  'crop-odd-color': (input) => {
    const objects = connectedComponents(input);
    const odd = objects.find(({ color }) => objects.filter((other) => other.color === color).length === 1)!;
    return cropGrid(input, odd);
  },
  denoise: (input) => {
    const alone = connectedComponents(input, { diagonal: true }).filter(({ cells }) => cells.length === 1);
    const noise = new Set(alone.map(({ cells }) => String(cells[0])));
    return input.map((row, r) => row.map((color, c) => (noise.has(`${r},${c}`) ? 0 : color)));
  },
  'recolor-by-legend': (input) => {
    const [first, newFirst, second, newSecond] = input[0]!;
    const legend = new Map([
      [first, newFirst],
      [second, newSecond],
    ]);
    return input.map((row, r) => (r === 0 ? row : row.map((color) => legend.get(color) ?? color)));
  },
  'reverse-rings': (input) => {
    const rings = Array.from({ length: Math.ceil(input.length / 2) }, (_, i) => input[i]![i]!);
    return input.map((row) => row.map((color) => rings.at(-1 - rings.indexOf(color))!));
  },
  'remove-empty-lines': (input) => {
    const filled = input[0]!.map((_, c) => input.some((row) => row[c] !== 0));
    return input
      .filter((row) => row.some((color) => color > 0))
      .map((row) => row.filter((_, c) => filled[c]));
  },
  'colors-by-frequency': (input, { train }) => {
    const counts = colorCounts(input).with(0, 0);
    const found = [...counts.keys()].filter((color) => counts[color]! > 0);
    found.sort((a, b) => counts[b]! - counts[a]!);
    return train.some(({ output }) => output.length > 1) ? found.map((color) => [color]) : [found];
  },
  'stack-colors': (input) => {
    const columns = input[0]!.map((_, c) => {
      const column = input.map((row) => row[c]!);
      const count = (color: number) => column.filter((other) => other === color).length;
      const [cells, empty] = [column.filter((color) => color > 0), column.filter((color) => color === 0)];
      return [...empty, ...cells.sort((a, b) => count(a) - count(b))];
    });
    return input.map((_, r) => columns.map((column) => column[r]!));
  },
  'connect-edges': (input, { train }) => {
    const turn = (grid: Grid): Grid => grid[0]!.map((_, c) => grid.map((row) => row[c]!));
    const connect = (grid: Grid): Grid =>
      grid.map((row) => (row[0] === row.at(-1) && row[0]! > 0 ? row.map(() => row[0]!) : row));
    const inRows = train.every((sample) => gridsEqual(connect(sample.input), sample.output));
    return inRows ? connect(input) : turn(connect(turn(input)));
  },
  'continue-wallpaper': fillWallpaper,
  'repair-wallpaper': fillWallpaper,
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

describe('the test sample', () => {
  /** Tasks of three train samples, two of which have the same output, and how often the test has the third one. */
  const minorityShare = (name: string) => {
    const tasks = Array.from({ length: 400 }, (_, index) => generateTask(name, 7, index)).map((task) =>
      samplesOf(task).map(({ output }) => gridKey(output)),
    );
    const two = tasks.filter(([a, b, c]) => new Set([a, b, c]).size === 2);
    const alone = two.filter(([a, b, c, test]) => [a, b, c].filter((output) => output === test).length === 1);
    return alone.length / two.length;
  };

  it.each(['is-symmetric', 'count-to-color'])('%s: cannot be told from the train outputs alone', (name) => {
    expect(minorityShare(name)).toBeGreaterThan(0.25);
    expect(minorityShare(name)).toBeLessThan(0.75);
  });

  const side = ({ input, output }: Sample) =>
    gridsEqual(
      input.slice(0, output.length).map((row) => row.slice(0, output[0]!.length)),
      output,
    );
  const objectsOf = ({ input, output }: Sample) =>
    connectedComponents(input).map(({ cells }) => {
      const [r, c] = cells[0]!;
      return input[r]![c] !== output[r]![c];
    });
  /** Whether the coloured cells lie on no single diagonal. */
  const bounces = ({ output }: Sample) => {
    const cells = output.flatMap((row, r) => row.flatMap((color, c) => (color > 0 ? [[r, c] as const] : [])));
    const differ = (of: (cell: readonly [number, number]) => number) => new Set(cells.map(of)).size > 1;
    return differ(([r, c]) => r - c) && differ(([r, c]) => r + c);
  };

  it.each([4, 5, 6, 10])('is never the first of its kind, on grids of up to %i cells a side', (maxSize) => {
    for (let index = 0; index < 60; index++) {
      const half = generateTask('crop-most-colorful-half', 8, index, { maxSize });
      expect(half.train.map(side)).toContain(side(samplesOf(half).at(-1)!));
      const ball = generateTask('bounce', 8, index, { maxSize });
      if (bounces(samplesOf(ball).at(-1)!)) expect(ball.train.map(bounces)).toContain(true);
      if (maxSize < 5) continue;
      for (const sample of samplesOf(generateTask('recolor-at-edge', 8, index, { maxSize }))) {
        expect(new Set(objectsOf(sample))).toEqual(new Set([true, false]));
      }
    }
  });
});

describe('objects whose boxes overlap', () => {
  it.each([6, 14])('lose no cell and show no other object, on grids of up to %i cells a side', (maxSize) => {
    for (let index = 0; index < 300; index++) {
      const knobs = { maxSize, objects: 8 };
      for (const { input, output } of samplesOf(generateTask('mirror-objects', 5, index, knobs))) {
        expect(colorCounts(output)).toEqual(colorCounts(input));
      }
      for (const { output } of samplesOf(generateTask('crop-largest', 5, index, knobs))) {
        expect(connectedComponents(output, { diagonal: true, mixColors: true })).toHaveLength(1);
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
    [{ maxSize: 31 }, '`maxSize`: expected an integer from 3 to 30, found 31'],
    [{ minSize: 7, maxSize: 6 }, '`minSize`: expected at most `maxSize`, which is 6, found 7'],
    [
      { trainSamples: 0 },
      '`trainSamples`: expected an integer from 1 to 50, or the least and the most of two, found 0',
    ],
    [
      { trainSamples: [4, 2] as [number, number] },
      '`trainSamples`: expected an integer from 1 to 50, or the least and the most of two, found [4,2]',
    ],
    [{ colors: 10 }, '`colors`: expected an integer from 1 to 9, found 10'],
    [{ maxsize: 5 } as object, '`maxsize`: there is no such option here; did you mean `maxSize`?'],
  ])('refuses %j', (options, message) => {
    expect(() => generateTasks({ count: 1, seed: 0, ...options })).toThrow(UserError);
    expect(() => generateTasks({ count: 1, seed: 0, ...options })).toThrow(message);
  });

  it('leaves out what finds no task within the knobs, unless it was named', () => {
    const knobs = { seed: 1, maxSize: 3, trainSamples: 16 };
    const names = [...generateTasks({ ...knobs, count: 3, families: ['geometry', 'border'] }).keys()];
    expect(names).toHaveLength(3);
    for (const name of names) expect(name).not.toContain('rings');
    expect(() => generateTasks({ ...knobs, count: 3, generators: ['alternate-rings'] })).toThrow(
      GeneratorError,
    );
  });

  it('draws who plays which part anew for each sample, even when the colours are fewer than the parts', () => {
    for (let index = 0; index < 20; index++) {
      const { train, test } = generateTask('colors-by-frequency', 1, index, { colors: 1, minSize: 8 });
      const orders = [...train, ...test].map(({ output }) => output!.flat().join());
      expect(new Set(orders).size).toBe(2);
    }
  });

  it('says which knobs to turn when a generator finds no task', () => {
    expect(() => generateTask('alternate-rings', 1, 0, { maxSize: 3, trainSamples: 16 })).toThrow(
      /^Generator "alternate-rings" cannot make a task: 200 attempts found none for .*allow larger grids/,
    );
    expect(() => generateTask('keep-largest', 1, 0, { maxSize: 4 })).toThrow(
      'maximum size from 5 to 30, not 4',
    );
    expect(() => generateTask('gravity', 1, 0, { colors: 0 })).toThrow(
      '`colors`: expected an integer from 1',
    );
  });

  it('makes 500 tasks in less than five seconds of a processor', () => {
    const start = process.cpuUsage();
    generateTasks({ count: 500, seed: 9 });
    expect(process.cpuUsage(start).user).toBeLessThan(5e6);
    expect(selectGenerators({}, 30)).toHaveLength(all.length);
  });
});
