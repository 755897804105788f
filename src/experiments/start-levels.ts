/** What the demonstration teaches: rules that the base model has not seen, and tasks to learn them from. */
import { generateTasks } from '../arc/generate.js';
import { tasksInCommon } from '../arc/overlap.js';
import type { Dataset, Task } from '../arc/types.js';

/** The rules of the first level. */
export const startGenerators = [
  'draw-border',
  'recolor-alternate-rows',
  'mark-corners',
  'checkerboard-mask',
] as const;

/** The tasks of the first level, small enough for a model of a million weights. */
export const startKnobs = { maxSize: 4, minSize: 4, colors: 3, objects: 3 } as const;

/** The rules of the hard level. */
export const hardGenerators = [
  ...startGenerators,
  'keep-alternate-rows',
  'reverse-alternate-rows',
  'lines-from-marks',
  'connect-pairs',
] as const;

/** The tasks of the hard level: more than twice as many cells, and more colours. */
export const hardKnobs = { maxSize: 6, minSize: 6, colors: 5, objects: 4 } as const;

/** A level of the demonstration. */
export interface StartLevel {
  readonly generators: readonly string[];
  /** That of them which is learned last: it has as many of the tasks to learn from as all others together. */
  readonly hardest?: string;
  readonly knobs: Readonly<Record<'maxSize' | 'minSize' | 'colors' | 'objects', number>>;
  /** Optimizer steps, samples of each, and the largest learning rate. */
  readonly training: { readonly maxSteps: number; readonly batchSize: number; readonly learningRate: number };
  /** More than the longest answer has, in tokens. */
  readonly maxNewTokens: number;
  /** How the tuned model is asked: views of the search and of the scores, and the threshold of the search. */
  readonly answers: { readonly views: number; readonly threshold: number };
  /** Fine-tuning on each task before it is asked again: the largest learning rate, and steps where none are given. */
  readonly tuning: { readonly steps: number; readonly learningRate: number };
}

/** The levels by name. */
export const startLevels: Readonly<Record<'standard' | 'hard', StartLevel>> = {
  standard: {
    generators: startGenerators,
    hardest: 'recolor-alternate-rows',
    knobs: startKnobs,
    training: { maxSteps: 2600, batchSize: 2, learningRate: 3e-3 },
    maxNewTokens: 24,
    answers: { views: 12, threshold: 0.05 },
    // would take longer than two minutes and a half leave
    tuning: { steps: 0, learningRate: 1e-3 },
  },
  hard: {
    generators: hardGenerators,
    knobs: hardKnobs,
    training: { maxSteps: 3000, batchSize: 4, learningRate: 4e-3 },
    maxNewTokens: 48,
    answers: { views: 12, threshold: 0.05 },
    tuning: { steps: 32, learningRate: 1e-3 },
  },
};

/** Tasks to learn from and other tasks of the same rules: none of the second is among the first, up to symmetry and colours. */
export function makeTasks(
  { generators, hardest, knobs }: StartLevel,
  o: { trainTasks: number; valTasks: number; seed: number },
): { train: Dataset; val: Dataset } {
  const make = (count: number, seed: number, names = generators) =>
    generateTasks({ ...knobs, generators: [...names], count, seed });
  const val = make(o.valTasks, o.seed + 1);
  const half = Math.floor(o.trainTasks / 2);
  const others = generators.filter((name) => name !== hardest);
  const train =
    hardest === undefined || half === 0
      ? make(o.trainTasks, o.seed)
      : new Map([...make(o.trainTasks - half, o.seed, others), ...make(half, o.seed, [hardest])]);
  const testOf = (variants: readonly Task[]) => JSON.stringify(variants[0]!.test);
  const measured = new Set([...val.values()].map(testOf));
  const common = new Set(tasksInCommon(train, [val]));
  const isNew = ([taskId, variants]: [string, readonly Task[]]) =>
    !common.has(taskId) && !measured.has(testOf(variants));
  return { train: new Map([...train].filter(isNew)), val };
}
