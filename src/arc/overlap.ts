/** Tasks that two data sets have in common, up to symmetry, colours and the order of samples. */
import { colorCount, turnGrid } from './grid.js';
import type { Dataset, Grid, Sample, Task } from './types.js';

/** A sample whose colours are numbered in the order in which they appear, and which they were. */
interface Pattern {
  readonly key: string;
  readonly colors: readonly number[];
}

/**
 * The ids of the tasks whose samples, test outputs included, all occur in one task of the other data sets, under one
 * symmetry and one exchange of colours for all samples. Train and test samples count alike: what one data set asks
 * for another may give as an example. Tasks with an unknown test output are left out.
 */
export function tasksInCommon(dataset: Dataset, others: Iterable<Dataset>): string[] {
  // by the pattern of their largest sample, in all symmetries: one lookup decides for nearly every other task
  const anchors = new Map<string, { taskId: string; turned: Sample[] }[]>();
  const shapes = new Set<string>();
  for (const [taskId, variants] of dataset) {
    for (const task of variants) {
      const samples = solvedSamples(task);
      if (samples === null) continue;
      for (const turned of symmetries(samples)) {
        const largest = turned.reduce((a, b) => (cells(b) > cells(a) ? b : a));
        const { key } = patternOf(largest);
        shapes.add(shapeOf(largest));
        anchors.set(key, [...(anchors.get(key) ?? []), { taskId, turned }]);
      }
    }
  }
  const found = new Set<string>();
  for (const other of others) {
    for (const task of [...other.values()].flat()) {
      const samples = [...task.train, ...task.test].flatMap(({ input, output }) =>
        output ? [{ input, output }] : [],
      );
      for (const sample of samples) {
        if (!shapes.has(shapeOf(sample))) continue;
        for (const { taskId, turned } of anchors.get(patternOf(sample).key) ?? []) {
          if (found.has(taskId)) continue;
          if (occursIn(turned.map(patternOf), samples.map(patternOf))) found.add(taskId);
        }
      }
    }
  }
  return [...dataset.keys()].filter((taskId) => found.has(taskId));
}

function solvedSamples({ train, test }: Task): Sample[] | null {
  const solved = test.flatMap(({ input, output }) => (output ? [{ input, output }] : []));
  return solved.length === test.length && train.length + test.length > 0 ? [...train, ...solved] : null;
}

function symmetries(samples: readonly Sample[]): Sample[][] {
  return [false, true].flatMap((flip) =>
    [0, 1, 2, 3].map((rotations) => {
      const turn = (grid: Grid) => turnGrid(grid, flip, rotations, identity);
      return samples.map(({ input, output }) => ({ input: turn(input), output: turn(output) }));
    }),
  );
}

const identity = Array.from({ length: colorCount }, (_, color) => color);

const cells = ({ input, output }: Sample) =>
  input.length * input[0]!.length + output.length * output[0]!.length;

function patternOf({ input, output }: Sample): Pattern {
  const numbers = new Int8Array(colorCount).fill(-1);
  const colors: number[] = [];
  let key = '';
  for (const grid of [input, output]) {
    for (const row of grid) {
      key += '|';
      for (const color of row) {
        if (numbers[color]! < 0) numbers[color] = colors.push(color) - 1;
        key += numbers[color];
      }
    }
    key += '/';
  }
  return { key, colors };
}

/** The shapes of a sample's grids: what is cheap to compare. */
const shapeOf = ({ input, output }: Sample) =>
  `${input.length},${input[0]!.length},${output.length},${output[0]!.length}`;

/** Whether all of the patterns are among others, each its own, with one exchange of colours. */
function occursIn(
  patterns: readonly Pattern[],
  others: readonly Pattern[],
  to: ReadonlyMap<number, number> = new Map(),
): boolean {
  const [first, ...rest] = patterns;
  if (!first) return true;
  return others.some((other, i) => {
    if (other.key !== first.key) return false;
    const map = extended(to, first.colors, other.colors);
    return map !== null && occursIn(rest, others.toSpliced(i, 1), map);
  });
}

/** An exchange of colours with more pairs; null when it would not be one to one. */
function extended(
  map: ReadonlyMap<number, number>,
  from: readonly number[],
  to: readonly number[],
): ReadonlyMap<number, number> | null {
  const result = new Map(map);
  const taken = new Set(map.values());
  for (const [i, color] of from.entries()) {
    const target = to[i]!;
    const known = result.get(color);
    if (known === target) continue;
    if (known !== undefined || taken.has(target)) return null;
    result.set(color, target);
    taken.add(target);
  }
  return result;
}
