import type { Grid } from '../arc/types.js';
import { scoreGrid } from './grids.js';
import { mean, solvedPerTask } from './metrics.js';
import {
  type Ballot,
  defaultRule,
  evidenceOf,
  rankEvidence,
  ruleFor,
  type SelectionRuleName,
} from './selection.js';
import type { Answers, Prediction, TaskSet } from './types.js';

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

/** Ranks the different grids among the predictions for one test input, best first; unparsable ones have no vote. */
export function rankCandidates(
  ballots: readonly Ballot[],
  rule: SelectionRuleName = defaultRule(ballots),
): Candidate[] {
  return rankEvidence(evidenceOf(ballots), rule).map(({ grid, logProbs }) => ({
    grid,
    votes: logProbs.length,
    meanLogProb: mean(logProbs),
  }));
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
export function rankPredictions(predictions: readonly Prediction[], method?: SelectionRuleName): Ranking {
  // one rule for all test inputs
  const rule = method ?? defaultRule(predictions);
  return mapInputs(groupPredictions(predictions), (ballots) => rankCandidates(ballots, rule));
}

/**
 * Ranks the candidates of every test input by itself: where some of its grids have no scores (time was up before), a
 * rule that needs them gives way to one that does not.
 */
export function rankEachInput(predictions: readonly Prediction[], method?: SelectionRuleName): Ranking {
  return mapInputs(groupPredictions(predictions), (ballots) =>
    rankCandidates(ballots, ruleFor(ballots, method)),
  );
}

/** The grids of the n best candidates of every test input: fewer where there are fewer different grids. */
export function winners(ranking: Ranking, n: number): Answers {
  return mapInputs(ranking, (candidates) => candidates.slice(0, n).map(({ grid }) => grid));
}

/** Options of {@link vote}. */
export interface VoteOptions {
  /** How many winners for each test input (default 2, what Kaggle accepts). */
  n?: number;
  method?: SelectionRuleName;
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
  { ns = [1, 2], method }: { ns?: readonly number[]; method?: SelectionRuleName } = {},
): Record<string, number> {
  return rankingMetrics(rankPredictions(predictions, method), dataset, ns);
}

/** The same of candidates that are ranked. @throws as {@link voteMetrics} */
export function rankingMetrics(
  ranking: Ranking,
  dataset: TaskSet,
  ns: readonly number[] = [1, 2],
): Record<string, number> {
  const answers = winners(ranking, Math.max(...ns));
  return Object.fromEntries(ns.map((n) => [`vote_${n}`, mean(solvedPerTask(answers, dataset, n))]));
}
