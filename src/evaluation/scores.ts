/** Scores of grids under views that all candidates of a test input share, and the predictions that they are about. */
import type { Grid } from '../arc/types.js';
import { mean } from './metrics.js';
import type { Prediction } from './types.js';

/** A grid with its scores. */
export interface ScoredGrid {
  readonly grid: Grid;
  /** Log-probability of the whole answer under each view, in nats; null where no prompt fits or it is not finite. */
  readonly scores: readonly (number | null)[];
  /** Tokens of the answer, mean over the views that have a score. */
  readonly tokens: number;
}

/** A prediction with the scores of its grid: their mean takes the place of its log-probability, where there is one. */
export function withScores(
  prediction: Prediction,
  { scores, tokens }: Pick<ScoredGrid, 'scores' | 'tokens'>,
): Prediction {
  const known = scores.filter((score) => score !== null);
  if (known.length === 0) return { ...prediction, scores };
  return { ...prediction, logProb: mean(known), ...ownOf(prediction), tokens: Math.round(tokens), scores };
}

/** What generation said of a prediction, however often it is scored. An infinity, which is of no model, is left out. */
function ownOf({ logProb, ownLogProb = logProb }: Prediction): { ownLogProb?: number } {
  return Number.isFinite(ownLogProb) ? { ownLogProb } : {};
}
