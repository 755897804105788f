/** @file Which of several attempts count where some were predicted and others found by a search. */
import { gridKey } from '../arc/grid.js';
import type { Prediction } from './types.js';

/**
 * Tells, one attempt after the other, whether it says something new: what a search finds in a view in which the same
 * grid was predicted or found does not. Predictions are all independent, and count each.
 */
export function newBallots(): (attempt: Prediction, isFound: boolean) => boolean {
  const seen = new Set<string>();
  return ({ taskId, testIndex, grid, augmentation }, isFound) => {
    if (grid === null) return true;
    const name = `${taskId}/${testIndex}/${JSON.stringify(augmentation)}/${gridKey(grid)}`;
    const isKnown = seen.has(name);
    seen.add(name);
    return !(isFound && isKnown);
  };
}
