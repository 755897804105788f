/** What the parts of a method give, as rows of a table. */
import type { Contribution, PooledContribution } from '../evaluation/contributions.js';
import { formatDifference } from '../evaluation/intervals.js';
import { formatSpread } from '../evaluation/spread.js';
import type { TableRow } from './tables.js';

/** A row for each part: what one and two attempts solve (fractions, or percents over several runs), and the difference. */
export function contributionRows(parts: readonly (Contribution | PooledContribution)[]): TableRow[] {
  return parts.map(({ name, vote_1, vote_2, against, gain }) => ({
    part: name,
    'solved by 1': typeof vote_1 === 'number' ? vote_1 : formatSpread(vote_1),
    'solved by 2': typeof vote_2 === 'number' ? vote_2 : formatSpread(vote_2),
    difference: gain && `${formatDifference(gain)} to ${against}`,
  }));
}
