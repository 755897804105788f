/** Selection rules as data: what they compare candidates by, from what predictions and scores say of them. */
import { gridKey } from '../arc/grid.js';
import type { Grid } from '../arc/types.js';
import { selectionRules } from '../options/selection.js';
import { EvaluationError } from './errors.js';
import { mean } from './metrics.js';
import type { Prediction } from './types.js';

/** The names of the rules. */
export const SELECTION_RULES = selectionRules;

/** One of {@link SELECTION_RULES}. */
export type SelectionRuleName = (typeof selectionRules)[number];

/** What a rule needs to know of a prediction. */
export type Ballot = Pick<Prediction, 'grid' | 'logProb'> &
  Partial<Pick<Prediction, 'tokens' | 'scores' | 'ownLogProb'>>;

/** What is known of a grid that some predictions agree on. */
export interface Evidence {
  readonly grid: Grid;
  /** Log-probabilities of the predictions that are this grid, in their order, in nats. */
  readonly logProbs: readonly number[];
  /** The same as generation reported them, before a score took their place. */
  readonly own: readonly number[];
  /** Tokens of the answer, mean. */
  readonly tokens: number;
  /**
   * Log-probabilities under the common views, those that are known: a list for each scoring. Pools that were scored
   * apart, by other models, and then joined give a grid a list of each pool that found it.
   */
  readonly scores: readonly (readonly number[])[];
}

/** What candidates are compared by, and how large a difference has to be to count. */
export interface RuleKey {
  readonly value: number;
  readonly error: number;
}

/** How candidates are ranked. */
export interface SelectionRule {
  readonly description: string;
  /** Whether every candidate needs its scores under common views. */
  readonly needsScores: boolean;
  /** What decides, in order; the larger value first. What is then equal is ordered by count, then by what came first. */
  readonly keys: (evidence: Evidence) => readonly RuleKey[];
}

/**
 * Log-probabilities closer than this, in nats, are equal: the same answer was seen 1.7e-4 apart in another company
 * in the batch.
 */
export const LOG_PROB_ERROR = 2e-4;

const exactly = (value: number): RuleKey => ({ value, error: 0 });
const nats = (value: number): RuleKey => ({ value, error: LOG_PROB_ERROR });

/** A number of each scoring, mean over them: where a grid was scored by several models, none of them decides alone. */
const overScorings = ({ scores }: Evidence, summary: (list: readonly number[]) => number): number => {
  const known = scores.filter(({ length }) => length > 0);
  return known.length === 0 ? Number.NEGATIVE_INFINITY : mean(known.map(summary));
};
const largest = (list: readonly number[]) => list.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
const smallest = (list: readonly number[]) => list.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const count = ({ logProbs }: Evidence) => logProbs.length;

/** The rules by name. */
export const rules: Readonly<Record<SelectionRuleName, SelectionRule>> = {
  count: {
    description: 'how many predictions agree on it',
    needsScores: false,
    keys: (evidence) => [exactly(count(evidence))],
  },
  'count-logprob': {
    description: 'the same, then the mean log-probability of those predictions',
    needsScores: false,
    keys: (evidence) => [exactly(count(evidence)), nats(mean(evidence.logProbs))],
  },
  'sum-logprob': {
    // by the mean, which orders candidates that have the same views in the same way, and has the error of one score
    description: 'the product of its probabilities under the views (product of experts)',
    needsScores: true,
    keys: (evidence) => [nats(overScorings(evidence, mean))],
  },
  'views+mean': {
    description: 'how many predictions agree on it + its mean log-probability under the views',
    needsScores: true,
    keys: (evidence) => [nats(count(evidence) + overScorings(evidence, mean))],
  },
  max: {
    description: 'its largest log-probability under the views',
    needsScores: true,
    keys: (evidence) => [nats(overScorings(evidence, largest))],
  },
  min: {
    description: 'its smallest log-probability under the views',
    needsScores: true,
    keys: (evidence) => [nats(overScorings(evidence, smallest))],
  },
  'mean-per-token': {
    description: 'its mean log-probability under the views, for each token',
    needsScores: true,
    keys: (evidence) => {
      const tokens = Math.max(1, evidence.tokens);
      return [{ value: overScorings(evidence, mean) / tokens, error: LOG_PROB_ERROR / tokens }];
    },
  },
  'own-score': {
    description: 'the largest log-probability that generation gave it, in the view that found it',
    needsScores: false,
    keys: (evidence) => [nats(largest(evidence.own))],
  },
};

/** What is known of the different grids among the predictions for one test input, in the order of first sight. */
export function evidenceOf(ballots: readonly Ballot[]): Evidence[] {
  const groups = new Map<string, { grid: Grid; ballots: Ballot[] }>();
  for (const ballot of ballots) {
    if (ballot.grid === null) continue;
    const key = gridKey(ballot.grid);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { grid: ballot.grid, ballots: [ballot] });
    else group.ballots.push(ballot);
  }
  return [...groups.values()].map(({ grid, ballots: own }) => {
    // predictions that were scored together share one list
    const lists = new Map(own.flatMap(({ scores }) => (scores ? [[JSON.stringify(scores), scores]] : [])));
    return {
      grid,
      logProbs: own.map(({ logProb }) => logProb),
      own: own.map(({ logProb, ownLogProb }) => ownLogProb ?? logProb),
      tokens: mean(own.map(({ tokens = 0 }) => tokens)),
      scores: [...lists.values()].map((list) => list.filter((score) => score !== null)),
    };
  });
}

/**
 * Candidates in the order of a rule, best first. Differences within a key's error are no differences: candidates so
 * close to the best of those that are left are ordered by the rule's next key, then by count, then by first sight.
 */
export function rankEvidence(candidates: readonly Evidence[], rule: SelectionRuleName): Evidence[] {
  const { keys } = rules[rule];
  const entries = candidates.map((evidence) => ({
    evidence,
    keys: [...keys(evidence), exactly(count(evidence))],
  }));
  return ordered(entries, 0).map(({ evidence }) => evidence);
}

interface Entry {
  readonly evidence: Evidence;
  readonly keys: readonly RuleKey[];
}

function ordered(entries: readonly Entry[], place: number): readonly Entry[] {
  if (entries.length < 2 || place >= entries[0]!.keys.length) return entries;
  const key = ({ keys }: Entry) => keys[place]!;
  // equal infinities are equal: their difference is NaN
  const isTied = (a: RuleKey, b: RuleKey) =>
    a.value === b.value || a.value - b.value <= Math.max(a.error, b.error);
  let left = entries.toSorted((a, b) =>
    key(a).value === key(b).value ? 0 : key(b).value > key(a).value ? 1 : -1,
  );
  const result: Entry[] = [];
  while (left.length > 0) {
    const best = key(left[0]!);
    const tied = new Set(left.filter((entry) => isTied(best, key(entry))));
    // in the order of first sight
    result.push(
      ...ordered(
        entries.filter((entry) => tied.has(entry)),
        place + 1,
      ),
    );
    left = left.filter((entry) => !tied.has(entry));
  }
  return result;
}

/**
 * The rule where none is named: the product over the views where every grid has its scores, else count and mean
 * log-probability. (On a pool of `npm start` the first solved 47 % of the tasks by two attempts, the second 38 %.)
 */
export function defaultRule(ballots: readonly Ballot[]): SelectionRuleName {
  const grids = ballots.filter(({ grid }) => grid !== null);
  return grids.length > 0 && grids.every(({ scores }) => scores !== undefined)
    ? 'sum-logprob'
    : 'count-logprob';
}

/** The rule that ranks predictions for one test input: the wanted one where they have what it compares. */
export function ruleFor(ballots: readonly Ballot[], wanted?: SelectionRuleName): SelectionRuleName {
  const canRank = wanted !== undefined && (!rules[wanted].needsScores || lackingScores(ballots) === 0);
  return canRank ? wanted : defaultRule(ballots);
}

const lackingScores = (ballots: readonly Ballot[]): number =>
  ballots.filter(({ grid, scores }) => grid !== null && scores === undefined).length;

/**
 * Makes sure that a rule can rank these predictions.
 * @throws {EvaluationError} when it needs scores and a grid has none
 */
export function assertRuleFits(rule: SelectionRuleName, ballots: readonly Ballot[], source: string): void {
  const lacking = lackingScores(ballots);
  if (!rules[rule].needsScores || lacking === 0) return;
  const grids = ballots.filter(({ grid }) => grid !== null).length;
  throw new EvaluationError(
    `${source}: rule ${rule} compares scores under common views, which ${lacking} of ${grids} grids lack: ` +
      'make them with arclab score --input_path FILE --augmentations 16 --output_path FILE',
  );
}
