import { gridKey } from '../arc/grid.js';
import type { Grid } from '../arc/types.js';
import { scoreGrid } from './grids.js';
import { mean, meanOverTasks, scoredInputs } from './metrics.js';
import type { Answers, Prediction, TaskSet } from './types.js';

/**
 * How candidates are ranked. `count`: by how many predictions agree on a grid. `count-logprob`: the same, and
 * between equal counts by the mean log-probability of those predictions. What is still equal is ranked by which
 * came first, so the result never depends on chance.
 */
export const VOTING_METHODS = ['count', 'count-logprob'] as const;

/** One of {@link VOTING_METHODS}. */
export type VotingMethod = (typeof VOTING_METHODS)[number];

/** A grid that some predictions agree on. */
export interface Candidate {
  readonly grid: Grid;
  /** How many predictions are this grid. */
  readonly votes: number;
  /** The mean of their log-probabilities, in nats. */
  readonly meanLogProb: number;
}

/** Candidates by task id, one ranked list (best first) for each test input. */
export type Ranking = ReadonlyMap<string, readonly (readonly Candidate[])[]>;

/** What voting needs to know of a prediction. */
export type Ballot = Pick<Prediction, 'grid' | 'logProb'>;

/** Ranks the different grids among the predictions for one test input, best first; unparsable ones have no vote. */
export function rankCandidates(
  ballots: readonly Ballot[],
  method: VotingMethod = 'count-logprob',
): Candidate[] {
  const groups = new Map<string, { grid: Grid; logProbs: number[] }>();
  for (const { grid, logProb } of ballots) {
    if (grid === null) continue;
    const key = gridKey(grid);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { grid, logProbs: [logProb] });
    else group.logProbs.push(logProb);
  }
  // Map keeps the order of first sight and sort is stable, which settles what is equal in everything else.
  return [...groups.values()]
    .map(({ grid, logProbs }) => ({ grid, votes: logProbs.length, meanLogProb: mean(logProbs) }))
    .sort(
      (a, b) => b.votes - a.votes || (method === 'count' ? 0 : compareDown(a.meanLogProb, b.meanLogProb)),
    );
}

/** The larger first; equal infinities are equal (their difference is NaN). */
function compareDown(a: number, b: number): number {
  return a === b ? 0 : b > a ? 1 : -1;
}

/** Predictions by task and test input, in their order: `groups.get(taskId)[testIndex]`. */
export function groupPredictions(predictions: readonly Prediction[]): Map<string, Prediction[][]> {
  const groups = new Map<string, Prediction[][]>();
  for (const prediction of predictions) {
    const inputs = groups.get(prediction.taskId) ?? [];
    groups.set(prediction.taskId, inputs);
    while (inputs.length <= prediction.testIndex) inputs.push([]);
    inputs[prediction.testIndex]!.push(prediction);
  }
  return groups;
}

/** Applies a function to the list of every test input. */
export function mapInputs<A, B>(
  groups: ReadonlyMap<string, readonly A[]>,
  change: (item: A) => B,
): Map<string, B[]> {
  return new Map([...groups].map(([taskId, inputs]) => [taskId, inputs.map(change)]));
}

/** Ranks the candidates of every test input. */
export function rankPredictions(predictions: readonly Prediction[], method?: VotingMethod): Ranking {
  return mapInputs(groupPredictions(predictions), (ballots) => rankCandidates(ballots, method));
}

/** The grids of the n best candidates of every test input: fewer where there are fewer different grids. */
export function winners(ranking: Ranking, n: number): Answers {
  return mapInputs(ranking, (candidates) => candidates.slice(0, n).map(({ grid }) => grid));
}

/** Options of {@link vote}. */
export interface VoteOptions {
  /** How many winners for each test input (default 2, what Kaggle accepts). */
  n?: number;
  method?: VotingMethod;
}

/** Votes: the n best grids of every test input, best first. */
export function vote(predictions: readonly Prediction[], { n = 2, method }: VoteOptions = {}): Answers {
  return winners(rankPredictions(predictions, method), n);
}

/** Whether one of the first n candidates is the solution. */
export function isAmongFirst(candidates: readonly Candidate[], n: number, solution: Grid): boolean {
  return candidates.slice(0, n).some(({ grid }) => scoreGrid(grid, solution).exact);
}

/**
 * `{vote_1, vote_2, …}`: the fraction of test inputs solved by the n best candidates, mean per task, then over tasks.
 * @throws {EvaluationError} when predictions and data set do not fit.
 */
export function voteMetrics(
  predictions: readonly Prediction[],
  dataset: TaskSet,
  { ns = [1, 2], method }: { ns?: readonly number[]; method?: VotingMethod } = {},
): Record<string, number> {
  const ranking = rankPredictions(predictions, method);
  const inputs = scoredInputs(winners(ranking, Math.max(...ns)), dataset);
  return Object.fromEntries(
    ns.map((n) => {
      const solved = inputs.map(({ taskId, testIndex, solution }) => ({
        taskId,
        value: Number(isAmongFirst(ranking.get(taskId)?.[testIndex] ?? [], n, solution)),
      }));
      return [`vote_${n}`, meanOverTasks(solved)];
    }),
  );
}
