/** What is lost between a pool of candidates and the attempts that are handed in, rule by rule. */
import { EvaluationError } from './errors.js';
import { answersOf } from './files.js';
import { scoreGrid } from './grids.js';
import { type PairedDifference, type PairedDifferenceOptions, pairedDifference } from './intervals.js';
import { mean, meanOverTasks, type ScoredInput, scoredInputs, valuesByTask } from './metrics.js';
import {
  assertRuleFits,
  type Evidence,
  evidenceOf,
  rankEvidence,
  SELECTION_RULES,
  type SelectionRuleName,
} from './selection.js';
import type { Prediction, TaskSet } from './types.js';
import { groupPredictions } from './voting.js';

/** What one rule makes of a pool; fractions as the metrics compute them. */
export interface RuleRow {
  readonly rule: SelectionRuleName;
  /** Test inputs solved by one and by two attempts: mean over those of a task, then over tasks. */
  readonly solved_1: number;
  readonly solved_2: number;
  /** The part of the pool's solutions that two attempts miss: {@link SelectionStudy.inPool} − `solved_2`. */
  readonly lost: number;
  /** The solution's place among the candidates, from 1, mean over the test inputs whose pool has it. */
  readonly meanRank: number;
  /** Test inputs solved by 1, 2, 3, … attempts, as fractions. */
  readonly solvedBy: readonly number[];
  /** `solved_2` minus that of the reference, with its interval over tasks; absent for the reference itself. */
  readonly difference?: PairedDifference;
}

/** How a pool of candidates and rules go together. */
export interface SelectionStudy {
  readonly tasks: number;
  readonly testInputs: number;
  /** Different grids for each test input, mean. */
  readonly candidates: number;
  /** Test inputs that the pool has no grid for. */
  readonly withoutCandidates: number;
  /** Test inputs whose solution is in the pool: mean over those of a task, then over tasks, as pass_n. */
  readonly inPool: number;
  /** Tasks of which the pool has the solution of some test input, and of every one. */
  readonly inPoolAny: number;
  readonly inPoolEvery: number;
  /** What the others are compared with. */
  readonly reference: SelectionRuleName;
  readonly rules: readonly RuleRow[];
  /** Rules that were left out because the pool has no scores, and how to make them. */
  readonly left: readonly { readonly rule: SelectionRuleName; readonly reason: string }[];
}

/** Options of {@link studySelection}. */
export interface SelectionStudyOptions extends Omit<PairedDifferenceOptions, 'tasks'> {
  /** Which rules; all that the pool has what they need for when absent. */
  rules?: readonly SelectionRuleName[] | undefined;
  /** Which of them the others are compared with: `count-logprob`, or the first, when absent. */
  reference?: SelectionRuleName | undefined;
  /** What messages call the pool. */
  source?: string;
}

/** How many attempts the curve of solved test inputs goes to. */
const MOST_ATTEMPTS = 16;

/**
 * Replays selection rules on saved predictions.
 * @throws {EvaluationError} when they do not fit the data set, or lack the scores that a named rule needs
 */
export function studySelection(
  predictions: readonly Prediction[],
  dataset: TaskSet,
  { rules: named, reference, source = 'the predictions', ...bootstrap }: SelectionStudyOptions = {},
): SelectionStudy {
  const { usable, left } = usableRules(named, predictions, source);
  const groups = groupPredictions(predictions);
  const pools = scoredInputs(answersOf(predictions), dataset, source).map((input) => ({
    ...input,
    candidates: evidenceOf(groups.get(input.taskId)?.[input.testIndex] ?? []),
  }));
  const base = reference ?? (usable.includes('count-logprob') ? 'count-logprob' : usable[0]!);
  if (!usable.includes(base)) {
    throw new EvaluationError(`\`reference: ${base}\`: is not among the rules ${usable.join(', ')}`);
  }
  const ranks = new Map(usable.map((rule) => [rule, pools.map((pool) => rankOf(pool, rule))]));
  const byTask = (values: readonly number[]) => pools.map(({ taskId }, i) => ({ taskId, value: values[i]! }));
  const solvedBy = (rule: SelectionRuleName, attempts: number) =>
    ranks.get(rule)!.map((rank) => Number(rank <= attempts));
  const hits = ranks.get(base)!.map((rank) => Number(Number.isFinite(rank)));
  const perTask = (values: readonly number[]) => [...valuesByTask(byTask(values)).values()];
  const largest = Math.max(...pools.map(({ candidates }) => candidates.length));
  const most = Math.max(2, Math.min(MOST_ATTEMPTS, largest));
  const inPool = meanOverTasks(byTask(hits));
  return {
    tasks: perTask(hits).length,
    testInputs: pools.length,
    candidates: mean(pools.map(({ candidates }) => candidates.length)),
    withoutCandidates: pools.filter(({ candidates }) => candidates.length === 0).length,
    inPool,
    inPoolAny: mean(perTask(hits).map((own) => Math.max(...own))),
    inPoolEvery: mean(perTask(hits).map((own) => Math.min(...own))),
    reference: base,
    rules: usable.map((rule) => {
      const curve = Array.from({ length: most }, (_, i) => meanOverTasks(byTask(solvedBy(rule, i + 1))));
      const tasks = (of: SelectionRuleName) => perTask(solvedBy(of, 2)).map(mean);
      return {
        rule,
        solved_1: curve[0]!,
        solved_2: curve[1]!,
        lost: inPool - curve[1]!,
        meanRank: mean(ranks.get(rule)!.filter(Number.isFinite)),
        solvedBy: curve,
        ...(rule === base ? {} : { difference: pairedDifference(tasks(rule), tasks(base), bootstrap) }),
      };
    }),
    left,
  };
}

/** The rules that can be replayed. @throws {EvaluationError} when one that was named cannot */
function usableRules(
  named: readonly SelectionRuleName[] | undefined,
  predictions: readonly Prediction[],
  source: string,
): { usable: SelectionRuleName[]; left: { rule: SelectionRuleName; reason: string }[] } {
  const left: { rule: SelectionRuleName; reason: string }[] = [];
  const usable = [...new Set(named ?? SELECTION_RULES)].filter((rule) => {
    try {
      assertRuleFits(rule, predictions, source);
      return true;
    } catch (error) {
      if (named || !(error instanceof EvaluationError)) throw error;
      left.push({ rule, reason: error.message });
      return false;
    }
  });
  return { usable, left };
}

/** The solution's place among the candidates, from 1; infinite where it is not among them. */
function rankOf(
  { candidates, solution }: ScoredInput & { candidates: readonly Evidence[] },
  rule: SelectionRuleName,
): number {
  const place = rankEvidence(candidates, rule).findIndex(({ grid }) => scoreGrid(grid, solution).exact);
  return place < 0 ? Number.POSITIVE_INFINITY : place + 1;
}
