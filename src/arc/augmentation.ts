import type { Rng } from '../common/rng.js';
import { MissingSolutionsError } from './errors.js';
import { colorCount, turnGrid } from './grid.js';
import type { Grid, Sample, Task, TestSample } from './types.js';

/**
 * A reversible change of a whole task, plain JSON so that it can be stored with a prediction and undone later.
 * The order is: flip, rotations, colours.
 */
export interface Augmentation {
  /** Mirror left and right. */
  readonly flip: boolean;
  /** Quarter turns counterclockwise, 0 to 3. */
  readonly rotations: number;
  /** Colour c becomes `colorMap[c]`; a permutation of 0 to 9. */
  readonly colorMap: readonly number[];
  /** The new i-th train sample is the old one at `trainOrder[i]`. Absent: the order stays. */
  readonly trainOrder?: readonly number[];
}

const sameColors: readonly number[] = Array.from({ length: colorCount }, (_, color) => color);

/** Changes nothing. */
export const identityAugmentation: Augmentation = { flip: false, rotations: 0, colorMap: sameColors };

/** What {@link drawAugmentation} may change. */
export interface AugmentationOptions {
  /** Draw a flip and a rotation. On by default. */
  readonly geometricAugmentation?: boolean;
  /** Draw a colour map. On by default. */
  readonly colorAugmentation?: boolean;
  /** The probability that the background (colour 0) keeps its colour. 0.9 by default. */
  readonly keepBackground?: number;
  /** How many train samples the task has: draws their order when given. */
  readonly trainSamples?: number;
}

/**
 * A random permutation of the colours. With probability `keepBackground` colour 0 stays 0, otherwise it
 * becomes one of the others, each equally likely.
 */
export function drawColorMap(rng: Rng, keepBackground = 0.9): number[] {
  const others = sameColors.slice(1);
  if (rng.chance(keepBackground)) return [0, ...rng.shuffle(others)];
  const background = rng.pick(others);
  return [background, ...rng.shuffle(sameColors.filter((color) => color !== background))];
}

/** Draws an augmentation; each of the eight symmetries is equally likely. */
export function drawAugmentation(
  rng: Rng,
  {
    geometricAugmentation = true,
    colorAugmentation = true,
    keepBackground = 0.9,
    trainSamples,
  }: AugmentationOptions = {},
): Augmentation {
  return {
    flip: geometricAugmentation && rng.chance(0.5),
    rotations: geometricAugmentation ? rng.int(0, 3) : 0,
    colorMap: colorAugmentation ? drawColorMap(rng, keepBackground) : sameColors,
    ...(trainSamples === undefined
      ? {}
      : { trainOrder: rng.shuffle(Array.from({ length: trainSamples }, (_, i) => i)) }),
  };
}

/** Applies flip, rotations and colours to a grid. */
export function augmentGrid(grid: Grid, { flip, rotations, colorMap }: Augmentation): Grid {
  return turnGrid(grid, flip, rotations, colorMap);
}

/** The exact inverse of {@link augmentGrid}. */
export function undoAugmentation(grid: Grid, { flip, rotations, colorMap }: Augmentation): Grid {
  const inverse = new Array<number>(colorMap.length);
  for (let color = 0; color < colorMap.length; color++) inverse[colorMap[color]!] = color;
  // a flip followed by a rotation is a reflection, which is its own inverse
  return turnGrid(grid, flip, flip ? rotations : (4 - rotations) % 4, inverse);
}

/** Whether an augmentation changes grids, and not only the order of the train samples. */
function changesGrids({ flip, rotations, colorMap }: Augmentation): boolean {
  return flip || rotations !== 0 || colorMap.some((to, from) => to !== from);
}

function changeTask(task: Task, augmentation: Augmentation, change: (grid: Grid) => Grid): Task {
  const { trainOrder: order } = augmentation;
  const candidatesOf = ({ candidates }: TestSample) =>
    candidates ? { candidates: candidates.map(change) } : {};
  const changeSample = (sample: Sample) => ({
    ...sample,
    input: change(sample.input),
    output: change(sample.output),
    ...candidatesOf(sample),
  });
  if (order && order.length !== task.train.length) {
    throw new RangeError(
      `the augmentation orders ${order.length} train samples, the task has ${task.train.length}`,
    );
  }
  const train = order ? order.map((i) => task.train[i]!) : task.train;
  return {
    train: train.map(changeSample),
    test: task.test.map(({ output, ...sample }) => {
      const changed = { ...sample, input: change(sample.input), ...candidatesOf(sample) };
      return output === undefined ? changed : { ...changed, output: change(output) };
    }),
    // a program knows colours and directions
    ...(task.code === undefined || changesGrids(augmentation) ? {} : { code: task.code }),
  };
}

/**
 * Applies an augmentation to all grids of a task and orders its train samples. The task's code stays only where no grid
 * changes.
 */
export function augmentTask(task: Task, augmentation: Augmentation): Task {
  return changeTask(task, augmentation, (grid) => augmentGrid(grid, augmentation));
}

/** The exact inverse of {@link augmentTask}, but for code that it lost. */
export function undoTaskAugmentation(task: Task, augmentation: Augmentation): Task {
  const { trainOrder: order, ...rest } = augmentation;
  const inverse = order ? { ...rest, trainOrder: order.map((_, i) => order.indexOf(i)) } : rest;
  return changeTask(task, inverse, (grid) => undoAugmentation(grid, augmentation));
}

/**
 * Redraws which samples are test samples, uniformly among all samples whose output is known; so each test
 * sample may become a train sample and the reverse. The number of test samples stays; a task without a test
 * set (RE-ARC) gets one. Test samples of unknown output stay where they are.
 * @throws {MissingSolutionsError} when the task has test samples and no output of any is known.
 */
export function swapTrainAndTest(task: Task, rng: Rng): Task {
  const known: Sample[] = [];
  const unknown = [];
  for (const sample of task.test)
    if (sample.output === undefined) unknown.push(sample);
    else known.push(sample as Sample);
  if (task.test.length > 0 && known.length === 0) {
    throw new MissingSolutionsError(
      'cannot swap train and test samples of a task whose test outputs are not known; give a data set with ' +
        'solutions, or leave one train sample out',
    );
  }
  const shuffled = rng.shuffle([...task.train, ...known]);
  const testCount = Math.max(1, known.length);
  return {
    ...task,
    train: shuffled.slice(testCount),
    test: [...shuffled.slice(0, testCount), ...unknown],
  };
}
