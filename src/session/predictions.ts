import { type Augmentation, augmentTask, undoAugmentation } from '../arc/augmentation.js';
import type { Grid, Task } from '../arc/types.js';
import type { Prediction } from '../evaluation/types.js';
import type { Completion, GenerationRequest } from '../generation/engine.js';
import type { sessionInferOptions } from '../options/inference.js';
import type { ConfigOf } from '../options/table.js';
import { GridParseError } from '../prompts/errors.js';
import type { TextGrammar } from '../prompts/grammar.js';
import { type AugmentationToggles, TaskViews } from './views.js';

/** The part of a prompt builder that inference needs. */
export interface InferencePrompts {
  inference(task: Task, testIndex: number): { tokens: readonly number[] };
  parseAnswer(text: string): Grid;
  readonly answerGrammar: TextGrammar;
}

/** A prediction to be made: a prompt about an augmented task. */
export interface PlannedPrediction {
  readonly taskId: string;
  readonly testIndex: number;
  readonly augmentation: Augmentation;
  /** The prompt; null when it does not fit even with a single train sample. */
  readonly tokens: readonly number[] | null;
  /** The name from which its random numbers follow, with the seed. */
  readonly stream: string;
}

/** What is left out for prompts to fit. */
export interface LeftOut {
  /** How many prompts lost train samples, and how many do not fit at all: they are unanswered. */
  readonly shortened: number;
  readonly tooLong: number;
  /** Views fewer than asked for, over all test inputs, because there is no new view of their task. */
  readonly withoutView: number;
}

/** Predictions to be made. */
export interface PredictionPlan extends LeftOut {
  readonly predictions: readonly PlannedPrediction[];
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

/** How one prediction is planned. */
export interface PlanOptions {
  /** The longest prompt and answer together, in tokens. */
  maxSeqLen: number;
  /** Tokens to keep free for the answer to a task. */
  answerTokens: (task: Task) => number;
}

/** How the predictions of a data set are planned, some for each test input. */
export type PlanAllOptions = PlanOptions &
  AugmentationToggles &
  Pick<ConfigOf<typeof sessionInferOptions.table>, 'predictionsPerTask' | 'seed' | 'temperature'>;

/** How many predictions a test input gets of the number that is wanted: greedy decoding gives one for each view. */
export function countPredictions(views: TaskViews, wanted: number, temperature: number): number {
  return temperature === 0 ? Math.min(wanted, views.total) : wanted;
}

/** The i-th prediction for a test input, with the number of train samples that its prompt lost to fit. */
export function planPrediction(
  { taskId, task, testIndex, i }: { taskId: string; task: Task; testIndex: number; i: number },
  views: TaskViews,
  prompts: Pick<InferencePrompts, 'inference'>,
  { maxSeqLen, answerTokens }: PlanOptions,
): PlannedPrediction & { readonly removed: number } {
  const augmentation = views.at(i);
  const prompt = fitPrompt(
    prompts,
    augmentTask(task, augmentation),
    testIndex,
    maxSeqLen - answerTokens(task),
  );
  return {
    taskId,
    testIndex,
    augmentation,
    tokens: prompt?.tokens ?? null,
    stream: `${taskId}/${testIndex}/${i}`,
    removed: prompt?.removed ?? 0,
  };
}

/** Makes the prompts of all predictions: tasks in order, their test inputs in order, then the views. */
export function planPredictions(
  tasks: ReadonlyMap<string, Task>,
  prompts: Pick<InferencePrompts, 'inference'>,
  options: PlanAllOptions,
): PredictionPlan {
  const { predictionsPerTask, temperature, seed } = options;
  let withoutView = 0;
  const planned = [...tasks].flatMap(([taskId, task]) => {
    const views = new TaskViews(seed, taskId, task, options);
    const count = countPredictions(views, predictionsPerTask, temperature);
    withoutView += (predictionsPerTask - count) * task.test.length;
    return task.test.flatMap((_, testIndex) =>
      Array.from({ length: count }, (_, i) =>
        planPrediction({ taskId, task, testIndex, i }, views, prompts, options),
      ),
    );
  });
  return {
    predictions: planned.map(({ removed: _, ...prediction }) => prediction),
    shortened: planned.filter(({ removed }) => removed > 0).length,
    tooLong: planned.filter(({ tokens }) => tokens === null).length,
    withoutView,
  };
}

/** The prompts of a plan that fit, as requests for the engine. */
export function toRequests(plan: PredictionPlan, grammar?: TextGrammar): GenerationRequest[] {
  return plan.predictions.flatMap(({ tokens, stream }) =>
    tokens === null ? [] : [{ tokens, samples: 1, stream, ...(grammar ? { grammar } : {}) }],
  );
}

/** Reads the answer to a planned prediction and undoes its augmentation. What is no grid is kept as null. */
export function toPrediction(
  { taskId, testIndex, augmentation }: PlannedPrediction,
  completion: Completion | null,
  prompts: Pick<InferencePrompts, 'parseAnswer'>,
): Prediction {
  const grid = completion && readGrid(completion, prompts);
  const reason = completion ? completion.reason : 'the prompt is too long';
  return {
    taskId,
    testIndex,
    grid: grid && undoAugmentation(grid, augmentation),
    text: completion?.text ?? '',
    ...(reason === undefined ? {} : { reason }),
    logProb: reason === undefined ? completion!.logProb : -Infinity,
    // the end of turn was generated too
    tokens: completion ? completion.tokens.length + Number(completion.finished) : 0,
    augmentation,
  };
}

/** Reads the answers to {@link toRequests}; what has no prompt has no answer. */
export function toPredictions(
  plan: PredictionPlan,
  completions: readonly Completion[],
  prompts: Pick<InferencePrompts, 'parseAnswer'>,
): Prediction[] {
  let next = 0;
  return plan.predictions.map((planned) =>
    toPrediction(planned, planned.tokens === null ? null : completions[next++]!, prompts),
  );
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
