/** @file What a search finds for test inputs: the candidates of each, and the predictions that they are written as. */
import { augmentGrid, undoAugmentation } from '../arc/augmentation.js';
import { gridKey } from '../arc/grid.js';
import type { Grid } from '../arc/types.js';
import type { Prediction } from '../evaluation/types.js';
import type { Completion } from '../generation/engine.js';
import type { PromptBuilder } from '../prompts/index.js';
import { type PlannedPrediction, readGrid, toPrediction } from './predictions.js';

/** What was found for the prompt of one view, as it is kept. */
export interface FoundInView {
  readonly answers: readonly Completion[];
  readonly isComplete: boolean;
  readonly reason?: string;
}

/** A grid that some view has found, turned back. */
interface Candidate {
  readonly grid: Grid;
  views: number;
}

/** The most candidates that are tried first in another view. */
const TRIED_FIRST = 4;

/** The candidates for one test input, as they are found. */
export class CandidatePool {
  readonly #prompts: PromptBuilder;
  readonly #candidates = new Map<string, Candidate>();

  /** @param known grids that were proposed before: they are tried first, and no view has found them yet */
  constructor(prompts: PromptBuilder, known: readonly Grid[] = []) {
    this.#prompts = prompts;
    for (const grid of known) this.#candidates.set(gridKey(grid), { grid, views: 0 });
  }

  /** How many different grids views have found. */
  get size(): number {
    return [...this.#candidates.values()].filter(({ views }) => views > 0).length;
  }

  /** Takes in an answer of a view; what is no grid is no candidate. */
  add({ augmentation }: PlannedPrediction, answer: Completion): void {
    const read = readGrid(answer, this.#prompts);
    if (read === null) return;
    const grid = undoAugmentation(read, augmentation);
    const key = gridKey(grid);
    const candidate = this.#candidates.get(key) ?? { grid, views: 0 };
    candidate.views += 1;
    this.#candidates.set(key, candidate);
  }

  /** The candidates that the most views have found, as answers of another view without their end. */
  answersFor({ augmentation }: PlannedPrediction): number[][] {
    return [...this.#candidates.values()]
      .sort((a, b) => b.views - a.views)
      .slice(0, TRIED_FIRST)
      .map(({ grid }) => this.#prompts.answer(augmentGrid(grid, augmentation)).slice(0, -1));
  }
}

/**
 * A prediction for each view and grid that it found, the likeliest first: of several answers with the same grid the
 * likeliest, and none for an answer that is no grid. A test input for which no view found a grid has one prediction
 * without it, which says why.
 * @param found what the views found, in the order of the plan; undefined for prompts that do not fit
 */
export function toPool(
  planned: readonly PlannedPrediction[],
  found: readonly (FoundInView | undefined)[],
  prompts: PromptBuilder,
  threshold: number,
): { predictions: Prediction[]; unparsable: number } {
  let unparsable = 0;
  const predictions: Prediction[] = [];
  const inputs = new Map<string, number[]>();
  for (const [i, { taskId, testIndex }] of planned.entries()) {
    const key = JSON.stringify([taskId, testIndex]);
    inputs.set(key, [...(inputs.get(key) ?? []), i]);
  }
  for (const views of inputs.values()) {
    const before = predictions.length;
    for (const i of views) {
      const seen = new Set<string>();
      for (const answer of found[i]?.answers ?? []) {
        const prediction = toPrediction(planned[i]!, answer, prompts);
        if (prediction.grid === null) unparsable += 1;
        else if (!seen.has(gridKey(prediction.grid))) {
          seen.add(gridKey(prediction.grid));
          predictions.push(prediction);
        }
      }
    }
    if (predictions.length > before) continue;
    const asked = views.find((i) => found[i] !== undefined);
    const missing = asked === undefined ? null : noAnswer(found[asked]!, threshold);
    predictions.push(toPrediction(planned[asked ?? views[0]!]!, missing, prompts));
  }
  return { predictions, unparsable };
}

function noAnswer({ reason, isComplete }: FoundInView, threshold: number): Completion {
  const why =
    reason ??
    (isComplete ? `no grid has a probability of at least ${threshold}` : 'the search ended at a limit');
  return { tokens: [], text: '', logProb: -Infinity, finished: false, reason: why };
}
