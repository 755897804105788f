/** @file All candidates for one test input: those that a search finds under its views, and the scores of all of them. */
import { gridKey } from '../arc/grid.js';
import type { Grid, Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import type { ScoredGrid } from '../evaluation/scores.js';
import type { Prediction } from '../evaluation/types.js';
import type { SearchLimits } from '../generation/search/types.js';
import type { Decoder } from '../models/decoder.js';
import type { sessionSearchOptions } from '../options/search.js';
import type { ConfigOf } from '../options/table.js';
import type { PromptBuilder } from '../prompts/index.js';
import { notFiniteAdvice } from '../tensors/finite-advice.js';
import { CandidatePool, toPool } from './candidate-pool.js';
import { scoredGrids, scoreInTime } from './candidate-scores.js';
import { type PlanOptions, planPrediction } from './predictions.js';
import { searchPrompts } from './search-prompts.js';
import { type AugmentationToggles, TaskViews } from './views.js';

/** The test input that is asked about. */
export interface SearchedInput {
  readonly taskId: string;
  readonly task: Task;
  readonly testIndex: number;
  /** Grids that were proposed for it before: they are tried first, and are scored with those that are found. */
  readonly known: readonly Grid[];
}

type SearchConfig = ConfigOf<typeof sessionSearchOptions.table>;

/** How it is searched and scored, under `views` views at most: a task may have fewer. */
export interface SearchInputOptions
  extends PlanOptions,
    AugmentationToggles,
    Pick<SearchConfig, 'views' | 'seed' | 'threshold' | 'batchSize' | 'constrained' | 'maxCandidates'>,
    Required<Pick<SearchConfig, 'maxNewTokens'>> {
  readonly limits: SearchLimits;
  /** How long search and scores may take together: scores under the first view are made in any case. */
  readonly seconds: number;
  readonly onProgress: () => void;
}

/** See {@link searchInput}. */
export interface Candidates {
  /** One for each view and grid that it found, with its log-probability there. */
  readonly predictions: readonly Prediction[];
  /** The different grids among them and those that were known, scored under the same views. */
  readonly scored: readonly ScoredGrid[];
}

/**
 * Searches for all likely answers to a test input under its views, and scores all candidates under the same views, as
 * constrained as they are searched for. It depends on no other test input.
 * @returns null where no prompt fits
 * @throws {UserError} when the model's numbers are not finite in any view
 */
export async function searchInput(
  decoder: Decoder,
  prompts: PromptBuilder,
  { taskId, task, testIndex, known }: SearchedInput,
  { views: wanted, seed, maxSeqLen, answerTokens, seconds, ...o }: SearchInputOptions,
): Promise<Candidates | null> {
  const end = performance.now() / 1000 + seconds;
  const views = new TaskViews(seed, taskId, task, o);
  const planned = Array.from({ length: Math.min(wanted, views.total) }, (_, i) =>
    planPrediction({ taskId, task, testIndex, i }, views, prompts, { maxSeqLen, answerTokens }),
  );
  const fitting = planned.filter(({ tokens }) => tokens !== null);
  if (fitting.length === 0) return null;
  const pool = new CandidatePool(prompts, known);
  const found = await searchPrompts(decoder, prompts, fitting, {
    ...o,
    maxSeqLen,
    poolOf: () => pool,
    taskOf: () => task,
  });
  const reasons = found.flatMap(({ reason }) => reason ?? []);
  if (reasons.length === found.length) {
    throw new UserError(`${reasons[0]}; ${notFiniteAdvice(decoder.keptType)}`);
  }
  const results = new Map(fitting.map((one, i) => [one, found[i]!]));
  const { predictions } = toPool(
    planned,
    planned.map((one) => results.get(one)),
    prompts,
    o.threshold,
  );
  const proposed = [...known, ...predictions.flatMap(({ grid }) => (grid ? [grid] : []))];
  const grids = [...new Map(proposed.map((grid) => [gridKey(grid), grid])).values()];
  if (grids.length === 0) return { predictions, scored: [] };
  const set = { taskId, testIndex, task, grids };
  const scoring = {
    views: { ...o, seed, maxSeqLen, augmentations: wanted },
    ...(o.constrained ? { grammar: prompts.answerGrammar } : {}),
    onProgress: o.onProgress,
  };
  const secondsLeft = () => end - performance.now() / 1000;
  const scores = await scoreInTime(decoder, prompts, set, scoring, secondsLeft);
  return { predictions, scored: scoredGrids(set, scores) };
}
