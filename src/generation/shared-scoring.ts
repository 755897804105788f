import { scoringGroups } from './scoring.js';
import type { AnswerScore, ScoringRequest } from './scoring-lanes.js';

/**
 * The groups of requests that other processes score, with something in the place of their scores.
 * @param ranks which of some items are this process's, by their costs
 * @param isKnown whether nobody has to score a group
 */
export function groupsOfOthers(
  ranks: { share(costs: readonly number[]): number[] },
  requests: readonly ScoringRequest[],
  maxTokensPerBatch: number,
  isKnown: (group: number) => unknown,
): Map<number, AnswerScore[][]> {
  const groups = scoringGroups(requests, maxTokensPerBatch);
  const missing = [...groups.keys()].filter((group) => !isKnown(group));
  const tokensOf = (group: number) =>
    groups[group]!.reduce((sum, index) => sum + requests[index]!.prompt.length, 0);
  const own = new Set(ranks.share(missing.map(tokensOf)).map((i) => missing[i]!));
  const unknown = (index: number) =>
    requests[index]!.answers.map(({ length }) => ({ logProb: Number.NaN, tokens: length }));
  return new Map(
    missing.filter((group) => !own.has(group)).map((group) => [group, groups[group]!.map(unknown)]),
  );
}
