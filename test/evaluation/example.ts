import { identityAugmentation } from '../../src/arc/augmentation.js';
import type { Grid, Task } from '../../src/arc/types.js';
import type { Prediction } from '../../src/evaluation/types.js';

/** The solution of task a: 2×2. */
export const A: Grid = [
  [1, 2],
  [3, 4],
];
/** The solutions of task b, which has two test inputs. */
export const B0: Grid = [[5, 5, 5, 5]];
export const B1: Grid = [[6]];

/** A task whose test inputs are one black cell each. */
export function taskWith(...outputs: readonly Grid[]): Task {
  const input: Grid = [[0]];
  return { train: [{ input, output: [[1]] }], test: outputs.map((output) => ({ input, output })) };
}

/** Task a with one test input, task b with two. */
export const TASKS: ReadonlyMap<string, Task> = new Map([
  ['a', taskWith(A)],
  ['b', taskWith(B0, B1)],
]);

/** A prediction with made-up details. */
export function prediction(taskId: string, testIndex: number, grid: Grid | null, logProb = -1): Prediction {
  return { taskId, testIndex, grid, logProb, text: 'text', tokens: 3, augmentation: identityAugmentation };
}
