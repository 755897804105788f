/**
 * How likely does a model find an answer? Scores the solutions of a data set, per task and per prompt kind, or
 * the predictions of a result file again under several augmentations, so that they can be voted on by that.
 */
import { type Augmentation, augmentTask } from '../arc/augmentation.js';
import { loadTasks } from '../arc/dataset.js';
import { gridKey } from '../arc/grid.js';
import type { Grid, Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { writeFileAtomic } from '../common/files.js';
import { loadPredictions } from '../evaluation/files.js';
import type { Prediction } from '../evaluation/types.js';
import { type AnsweredPrompt, type AnswerScore, scoreAnswers } from '../generation/scoring.js';
import { getPromptKind, type PromptBuilder, type PromptKind } from '../prompts/index.js';
import { withoutUndefined } from './infer.js';
import { type ModelOptions, modelDefaults, openPrompts, promptKindFor } from './model-session.js';
import { assertWritableFile } from './output-files.js';
import { type AugmentationToggles, testTimeAugmentation } from './predictions.js';

/** Options of {@link score}; each is the flag of the same name in snake_case. */
export interface ScoreOptions extends ModelOptions, AugmentationToggles {
  datasetPath: string;
  /** The prompt kinds to score with; a result file is scored with one. */
  promptVersion?: string | readonly string[];
  /** Score the predictions of this detailed list instead of the solutions. */
  inputFilepath?: string;
  /** Score each answer under this many augmentations, the first of which changes nothing. */
  augmentations?: number;
  /** Where the scores go: a report, or the detailed list with the new log-probabilities. */
  outputFilepath?: string;
  /** Tokens of one forward pass. */
  maxTokensPerBatch?: number;
  seed?: number;
}

/** What an option of scoring is when it is not given. */
export const scoreDefaults = {
  ...modelDefaults,
  promptVersion: 'output-from-examples-v1',
  augmentations: 1,
  maxTokensPerBatch: 4096,
  geometricAugmentation: true,
  colorAugmentation: true,
  orderAugmentation: true,
} as const;

/** The score of one answer: means over the augmentations. */
export interface ScoredAnswer {
  readonly taskId: string;
  readonly testIndex: number;
  /** In nats; null when no prompt fits. */
  readonly logProb: number | null;
  /** Tokens of the answer. */
  readonly tokens: number;
  /** Augmentations whose prompt fits. */
  readonly augmentations: number;
}

/** The scores of one prompt kind. */
export interface KindScore {
  readonly kind: string;
  readonly answers: readonly ScoredAnswer[];
  /** Mean log-probability of an answer, and of a token: the second is minus a validation loss. */
  readonly perAnswer: number;
  readonly perToken: number;
  /** Prompts that do not fit, over all augmentations. */
  readonly tooLong: number;
}

export interface ScoreResult {
  readonly kinds: readonly KindScore[];
  /** Scored again, when a result file was given: `logProb` is the mean over the augmentations. */
  readonly predictions?: readonly Prediction[];
}

/** An answer to score: what was given as the answer to a test input. */
interface Candidate {
  readonly taskId: string;
  readonly testIndex: number;
  readonly task: Task;
}

/** Scores answers. @throws {UserError} for every mistake in the options or files, before the model is loaded */
export async function score(
  options: ScoreOptions & { onProgress?: (done: number, total: number) => void },
): Promise<ScoreResult> {
  const o = { ...scoreDefaults, ...withoutUndefined(options) };
  const kinds = [o.promptVersion].flat().map((name) => getPromptKind(name));
  if (o.inputFilepath !== undefined) {
    if (kinds.length > 1)
      throw new UserError('--prompt_version: a result file is scored with one prompt kind');
    promptKindFor(kinds[0]!.name, ['output-from-examples'], 'scoring of predictions');
  }
  const tasks = loadTasks(o.datasetPath);
  const predictions = o.inputFilepath === undefined ? undefined : loadPredictions(o.inputFilepath);
  const candidates = kinds.map((kind) =>
    predictions ? predicted(tasks, predictions, o.datasetPath) : solutions(tasks, kind, o.datasetPath),
  );
  if (candidates[0]!.length === 0) {
    throw new UserError(`${o.inputFilepath}: expected predicted grids to score, found none`);
  }
  // a result file may be scored in place
  if (o.outputFilepath !== undefined)
    assertWritableFile(o.outputFilepath, '--output_filepath', [o.datasetPath]);
  const session = await openPrompts(o);
  const planned = kinds.map((kind, i) => plan(candidates[i]!, session.builder(kind), session.maxSeqLen, o));
  for (const [i, { prompts }] of planned.entries()) {
    if (prompts.length > 0) continue;
    throw new UserError(
      `--max_seq_len ${session.maxSeqLen}: no prompt of kind ${kinds[i]!.name} for ${o.datasetPath} fits with its answer`,
    );
  }
  const total = planned.reduce((sum, { prompts }) => sum + prompts.length, 0);

  const decoder = await session.loadDecoder();
  try {
    const scored: KindScore[] = [];
    let before = 0;
    for (const [i, { prompts, owners, tooLong }] of planned.entries()) {
      const scores = await scoreAnswers(decoder, prompts, {
        maxTokensPerBatch: o.maxTokensPerBatch,
        onProgress: (done) => options.onProgress?.(before + done, total),
      });
      before += prompts.length;
      scored.push(summarize(kinds[i]!.name, candidates[i]!, scores, owners, tooLong));
    }
    const result = predictions
      ? { kinds: scored, predictions: rescored(predictions, candidates[0]!, scored[0]!) }
      : { kinds: scored };
    if (o.outputFilepath !== undefined) {
      const lines = (result.predictions ?? scored).map((item) => JSON.stringify(item));
      writeFileAtomic(o.outputFilepath, `[\n${lines.join(',\n')}\n]\n`);
    }
    return result;
  } finally {
    decoder.dispose();
  }
}

/** The known answers of a data set for a prompt kind. */
function solutions(tasks: ReadonlyMap<string, Task>, kind: PromptKind, source: string): Candidate[] {
  const known = [...tasks].flatMap(([taskId, task]) =>
    task.test.flatMap(({ output }, testIndex) =>
      kind.task === 'input-from-inputs' || output ? [{ taskId, testIndex, task }] : [],
    ),
  );
  if (known.length === 0) {
    throw new UserError(
      `${source}: no solutions, which prompt kind ${kind.name} is scored on; put a ...solutions.json beside it ` +
        'or score predictions with --input_filepath',
    );
  }
  return known;
}

/** The different grids that were predicted for each test input, as tasks with that solution. */
function predicted(
  tasks: ReadonlyMap<string, Task>,
  predictions: readonly Prediction[],
  source: string,
): Candidate[] {
  const candidates = new Map<string, Candidate>();
  for (const { taskId, testIndex, grid } of predictions) {
    const task = tasks.get(taskId);
    if (!task?.test[testIndex]) {
      throw new UserError(`${source}: has no test input ${testIndex} of task ${taskId}, which was predicted`);
    }
    if (grid === null) continue;
    const test = task.test.map((sample, i) => (i === testIndex ? { ...sample, output: grid } : sample));
    candidates.set(keyOf(taskId, testIndex, grid), { taskId, testIndex, task: { ...task, test } });
  }
  return [...candidates.values()];
}

const keyOf = (taskId: string, testIndex: number, grid: Grid) => `${taskId}/${testIndex}/${gridKey(grid)}`;

/** The prompts of all candidates under all augmentations; `owners[i]` is the candidate of `prompts[i]`. */
function plan(
  candidates: readonly Candidate[],
  builder: PromptBuilder,
  maxSeqLen: number,
  o: AugmentationToggles & { augmentations: number; seed: number },
): { prompts: AnsweredPrompt[]; owners: number[]; tooLong: number } {
  const prompts: AnsweredPrompt[] = [];
  const owners: number[] = [];
  let tooLong = 0;
  for (const [owner, { taskId, testIndex, task }] of candidates.entries()) {
    for (let i = 0; i < o.augmentations; i++) {
      const augmentation: Augmentation = testTimeAugmentation(o.seed, taskId, task, i, o);
      const fitted = builder.fitTask(augmentTask(task, augmentation), testIndex, maxSeqLen);
      if (fitted === null) {
        tooLong += 1;
        continue;
      }
      prompts.push(builder.training(fitted, testIndex));
      owners.push(owner);
    }
  }
  return { prompts, owners, tooLong };
}

/** Means over the augmentations of each candidate, and over all. */
function summarize(
  kind: string,
  candidates: readonly Candidate[],
  scores: readonly AnswerScore[],
  owners: readonly number[],
  tooLong: number,
): KindScore {
  const sums = candidates.map(() => ({ logProb: 0, tokens: 0, count: 0 }));
  for (const [i, { logProb, tokens }] of scores.entries()) {
    const sum = sums[owners[i]!]!;
    sum.logProb += logProb;
    sum.tokens += tokens;
    sum.count += 1;
  }
  const answers = candidates.map(({ taskId, testIndex }, i) => {
    const { logProb, tokens, count } = sums[i]!;
    return {
      taskId,
      testIndex,
      logProb: count > 0 ? logProb / count : null,
      tokens: count > 0 ? tokens / count : 0,
      augmentations: count,
    };
  });
  const total = sums.reduce((sum, { logProb }) => sum + logProb, 0);
  const tokens = sums.reduce((sum, { tokens: count }) => sum + count, 0);
  return { kind, answers, perAnswer: total / scores.length, perToken: total / tokens, tooLong };
}

/** Predictions with their new log-probabilities; those without a grid or a prompt that fits keep theirs. */
function rescored(
  predictions: readonly Prediction[],
  candidates: readonly Candidate[],
  { answers }: KindScore,
): Prediction[] {
  const logProbs = new Map(
    candidates.map(({ taskId, testIndex, task }, i) => [
      keyOf(taskId, testIndex, task.test[testIndex]!.output!),
      answers[i]!,
    ]),
  );
  return predictions.map((prediction) => {
    const { taskId, testIndex, grid } = prediction;
    const found = grid && logProbs.get(keyOf(taskId, testIndex, grid));
    return found && found.logProb !== null
      ? { ...prediction, logProb: found.logProb, tokens: Math.round(found.tokens) }
      : prediction;
  });
}
