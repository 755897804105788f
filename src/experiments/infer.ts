/**
 * Inference, top to bottom: check the options, write the prompts of all augmented tasks, load the model, let
 * the engine answer, read grids, undo the augmentations, write the results.
 */
import { loadTasks } from '../arc/dataset.js';
import type { Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { saveResults, taskResultsPath } from '../evaluation/files.js';
import type { Prediction } from '../evaluation/types.js';
import { type GenerationProgress, generate } from '../generation/engine.js';
import {
  largestGrid,
  type ModelOptions,
  modelDefaults,
  openPrompts,
  promptKindFor,
} from './model-session.js';
import { assertWritableFile } from './output-files.js';
import { type AugmentationToggles, planPredictions, toPredictions, toRequests } from './predictions.js';

/** How answers are generated. */
export interface DecodingOptions {
  /** 0 takes the most likely token; 1 draws from the model's own distribution. */
  temperature?: number;
  /** Draw among this many of the most likely tokens; -1 = off. */
  topK?: number;
  /** Draw among the most likely tokens that together have this probability; 1 = off. */
  topP?: number;
  /** Answers in the making at the same time. */
  batchSize?: number;
  /** The most tokens of an answer; default: enough for the largest grid. */
  maxOutputTokens?: number;
  /** Let the model write nothing but what the grid encoder can read. */
  constrained?: boolean;
  /** Names every random stream. */
  seed?: number;
}

/** Options of {@link infer}; each is the flag of the same name in snake_case. */
export interface InferOptions extends ModelOptions, DecodingOptions, AugmentationToggles {
  /** ARC tasks with test inputs; their outputs need not be known. */
  datasetPath: string;
  /** Where the attempts go; the detailed list goes to `…_task_results.json` beside it. */
  outputFilepath: string;
  /** Predictions for each test input: the first of the plain task, the others of augmented ones. */
  predictionsPerTask?: number;
  promptVersion?: string;
}

/** What an option of inference is when it is not given. */
export const inferDefaults = {
  ...modelDefaults,
  predictionsPerTask: 8,
  promptVersion: 'output-from-examples-v1',
  temperature: 0,
  topK: -1,
  topP: 1,
  batchSize: 8,
  constrained: false,
  geometricAugmentation: true,
  colorAugmentation: true,
  orderAugmentation: true,
} as const;

/** How a program follows inference. */
export interface GenerationHooks {
  onProgress?: (progress: GenerationProgress) => void;
  /** Told what a person should know, one line each. */
  onNote?: (text: string) => void;
}

export interface InferResult {
  readonly predictions: readonly Prediction[];
  /** Answers that are no grid; those cut off at the longest answer are among them. */
  readonly unparsable: number;
  readonly cutOff: number;
  /** Prompts that lost train samples to fit, and prompts that do not fit at all (unanswered). */
  readonly shortened: number;
  readonly tooLong: number;
  readonly progress: GenerationProgress | null;
}

/**
 * Predicts the outputs of all test inputs of a data set and writes them to `outputFilepath` and beside it.
 * The same options and seed give the same predictions, whatever the batch size.
 * @throws {UserError} for every mistake in the options or files, before the model is loaded where possible
 */
export async function infer(options: InferOptions & GenerationHooks): Promise<InferResult> {
  const o = { ...inferDefaults, ...withoutUndefined(options) };
  const { onNote = () => {}, onProgress } = options;
  const kind = promptKindFor(o.promptVersion, ['output-from-examples'], 'inference');
  const tasks = loadTasks(o.datasetPath);
  for (const path of [o.outputFilepath, taskResultsPath(o.outputFilepath)])
    assertWritableFile(path, '--output_filepath', [o.datasetPath]);
  const session = await openPrompts(o);
  const prompts = session.builder(kind);
  const maxNewTokens = o.maxOutputTokens ?? session.mostGridTokens;

  const plan = planPredictions(tasks, prompts, {
    ...o,
    maxSeqLen: session.maxSeqLen,
    answerTokens: (task: Task) => Math.min(maxNewTokens, session.gridTokens(largestGrid(task))),
  });
  const count = plan.predictions.length;
  if (plan.tooLong === count) {
    throw new UserError(
      `--max_seq_len ${session.maxSeqLen}: none of the ${count} prompts of ${o.datasetPath} fits with its ` +
        'answer, not even with a single train sample',
    );
  }
  if (plan.shortened > 0) onNote(`${plan.shortened} of ${count} prompts lost train samples to fit`);
  if (plan.tooLong > 0) onNote(`${plan.tooLong} of ${count} prompts are too long and stay unanswered`);

  let progress: GenerationProgress | null = null;
  const decoder = await session.loadDecoder();
  try {
    const requests = toRequests(plan, o.constrained ? prompts.answerGrammar : undefined);
    const completions = await generate(decoder, session.tokenizer, requests, {
      ...o,
      maxNewTokens,
      maxSeqLen: session.maxSeqLen,
      onProgress: (now) => {
        progress = now;
        onProgress?.(now);
      },
    });
    const answers = completions.map(([completion]) => completion!);
    const predictions = toPredictions(plan, answers, prompts);
    saveResults(o.outputFilepath, predictions);
    return {
      predictions,
      unparsable: predictions.filter(({ grid }) => grid === null).length - plan.tooLong,
      cutOff: answers.filter(({ finished }) => !finished).length,
      shortened: plan.shortened,
      tooLong: plan.tooLong,
      progress,
    };
  } finally {
    decoder.dispose();
  }
}

/** The options that were given, so that the others get their defaults. */
export function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
