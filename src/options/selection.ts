/** How candidates are ranked: the names of the rules of `evaluation/selection`. */
export const selectionRules = [
  'count',
  'count-logprob',
  'sum-logprob',
  'views+mean',
  'max',
  'min',
  'mean-per-token',
  'own-score',
] as const;
