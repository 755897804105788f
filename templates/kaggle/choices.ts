/** On Kaggle candidates are scored as answers: what judges them otherwise is no kind of a submission. */
import type * as own from '../../src/session/choices.js';

const refuse = (): never => {
  throw new Error('a notebook for Kaggle has no prompts that judge candidates');
};
export const planChoices: typeof own.planChoices = refuse;
export const scoresOfChoices: typeof own.scoresOfChoices = refuse;
