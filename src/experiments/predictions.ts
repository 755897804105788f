import {
  type Augmentation,
  augmentTask,
  drawAugmentation,
  identityAugmentation,
  undoAugmentation,
} from '../arc/augmentation.js';
import type { Grid, Task } from '../arc/types.js';
import { Rng } from '../common/rng.js';
import type { Prediction } from '../evaluation/types.js';
import type { Completion, GenerationRequest } from '../generation/engine.js';
import { GridParseError } from '../prompts/errors.js';
import type { TextGrammar } from '../prompts/grammar.js';

/** The part of a prompt builder that inference needs. */
export interface InferencePrompts {
  inference(task: Task, testIndex: number): { tokens: readonly number[] };
  parseAnswer(text: string): Grid;
  readonly answerGrammar: TextGrammar;
}

/** What a test-time augmentation may change. */
export interface AugmentationToggles {
  /** Flips and rotations. */
  geometricAugmentation?: boolean;
  /** Colour maps. */
  colorAugmentation?: boolean;
  /** The order of the train samples. */
  orderAugmentation?: boolean;
}

/** A prediction to be made: a prompt about an augmented task. */
export interface PlannedPrediction {
  readonly taskId: string;
  readonly testIndex: number;
  readonly augmentation: Augmentation;
  /** The prompt; null when it does not fit even with a single train sample. */
  readonly tokens: readonly number[] | null;
  /** Names the random stream of its answer. */
  readonly stream: string;
}

/** Predictions to be made, and what had to be left out for them to fit. */
export interface PredictionPlan {
  readonly predictions: readonly PlannedPrediction[];
  /** How many prompts lost train samples, and how many do not fit at all. */
  readonly shortened: number;
  readonly tooLong: number;
}

/**
 * The i-th augmentation of a task: the first changes nothing, so that a single prediction measures the plain
 * task; the others are drawn from a stream named by the task and i.
 */
export function testTimeAugmentation(
  seed: number,
  taskId: string,
  task: Task,
  i: number,
  { geometricAugmentation = true, colorAugmentation = true, orderAugmentation = true }: AugmentationToggles,
): Augmentation {
  if (i === 0) return identityAugmentation;
  return drawAugmentation(Rng.of(seed, taskId, i), {
    geometric: geometricAugmentation,
    colors: colorAugmentation,
    ...(orderAugmentation ? { trainSamples: task.train.length } : {}),
  });
}

/**
 * The prompt of a task within `budget` tokens, leaving out train samples from the end until it fits.
 * @returns the prompt and how many train samples it lost, or null when a single one is too much
 */
export function fitPrompt(
  prompts: Pick<InferencePrompts, 'inference'>,
  task: Task,
  testIndex: number,
  budget: number,
): { tokens: readonly number[]; removed: number } | null {
  for (let count = task.train.length; count > 0; count--) {
    const { tokens } = prompts.inference({ ...task, train: task.train.slice(0, count) }, testIndex);
    if (tokens.length <= budget) return { tokens, removed: task.train.length - count };
  }
  return null;
}

/** How the predictions of a data set are planned. */
export interface PlanOptions extends AugmentationToggles {
  /** For each test input. */
  predictionsPerTask: number;
  seed: number;
  /** The longest prompt and answer together, in tokens. */
  maxSeqLen: number;
  /** Tokens to keep free for the answer to a task. */
  answerTokens: (task: Task) => number;
}

/** Makes the prompts of all predictions: tasks in order, their test inputs in order, then the augmentations. */
export function planPredictions(
  tasks: ReadonlyMap<string, Task>,
  prompts: Pick<InferencePrompts, 'inference'>,
  options: PlanOptions,
): PredictionPlan {
  const predictions: PlannedPrediction[] = [];
  let shortened = 0;
  let tooLong = 0;
  for (const [taskId, task] of tasks) {
    const budget = options.maxSeqLen - options.answerTokens(task);
    const variants = Array.from({ length: options.predictionsPerTask }, (_, i) => {
      const augmentation = testTimeAugmentation(options.seed, taskId, task, i, options);
      return { augmentation, augmented: augmentTask(task, augmentation) };
    });
    for (let testIndex = 0; testIndex < task.test.length; testIndex++) {
      for (const [i, { augmentation, augmented }] of variants.entries()) {
        const prompt = fitPrompt(prompts, augmented, testIndex, budget);
        if (prompt === null) tooLong += 1;
        else if (prompt.removed > 0) shortened += 1;
        const tokens = prompt?.tokens ?? null;
        predictions.push({ taskId, testIndex, augmentation, tokens, stream: `${taskId}/${testIndex}/${i}` });
      }
    }
  }
  return { predictions, shortened, tooLong };
}

/** The prompts of a plan that fit, as requests for the engine. */
export function toRequests(plan: PredictionPlan, grammar?: TextGrammar): GenerationRequest[] {
  return plan.predictions.flatMap(({ tokens, stream }) =>
    tokens === null ? [] : [{ tokens, samples: 1, stream, ...(grammar ? { grammar } : {}) }],
  );
}

/** Reads the answers to {@link toRequests} and undoes the augmentations. What is no grid is kept as null. */
export function toPredictions(
  plan: PredictionPlan,
  completions: readonly Completion[],
  prompts: Pick<InferencePrompts, 'parseAnswer'>,
): Prediction[] {
  let next = 0;
  return plan.predictions.map(({ taskId, testIndex, augmentation, tokens }) => {
    const unanswered = {
      taskId,
      testIndex,
      grid: null,
      text: '',
      logProb: -Infinity,
      tokens: 0,
      augmentation,
    };
    if (tokens === null) return unanswered;
    const completion = completions[next++]!;
    const grid = readGrid(completion, prompts);
    return {
      ...unanswered,
      grid: grid && undoAugmentation(grid, augmentation),
      text: completion.text,
      logProb: completion.logProb,
      // the end of turn was generated too
      tokens: completion.tokens.length + Number(completion.finished),
    };
  });
}

/** The grid of an answer; null for one that was cut off or is no grid. */
export function readGrid(
  { text, finished }: Completion,
  prompts: Pick<InferencePrompts, 'parseAnswer'>,
): Grid | null {
  if (!finished) return null;
  try {
    return prompts.parseAnswer(text);
  } catch (error) {
    if (error instanceof GridParseError) return null;
    throw error;
  }
}
