/**
 * @file Candidates that a model judges: each alone, right or wrong (verify), or pairs of them against each other
 * (select). Their score is the log-probability of that judgement among the answers that there are.
 */
import { augmentTask } from '../arc/augmentation.js';
import type { Grid, Task } from '../arc/types.js';
import type { AnswerScore } from '../generation/scoring.js';
import type { PromptBuilder } from '../prompts/index.js';
import { answerWords, candidatesOf } from '../prompts/prompt-tasks.js';
import {
  type CandidateScores,
  type CandidateSet,
  fitting,
  type ScorePlan,
  type ViewOptions,
  viewsOf,
} from './candidate-scores.js';

/** The grids that a prompt shows, by their places in the set: each alone, or every pair in both orders. */
function shownTogether(count: number, inPairs: boolean): number[][] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (!inPairs) return all.map((grid) => [grid]);
  return all.flatMap((one) => all.filter((other) => other !== one).map((other) => [one, other]));
}

/**
 * The prompts that have the grids of sets judged under the views of their tasks. With n grids a test input has n
 * prompts for each view where they are judged alone, and n(n − 1) where they are compared.
 */
export function planChoices(
  sets: readonly CandidateSet[],
  builder: PromptBuilder,
  options: ViewOptions,
): ScorePlan {
  const inPairs = candidatesOf(builder.kind.task) === 'several';
  const answers = answerWords(builder.kind.task, 2).map((word) => builder.answer(word));
  const longest = Math.max(...answers.map(({ length }) => length));
  const requests: ScorePlan['requests'][number][] = [];
  const owners: { set: number; grid: number; view: number }[][] = [];
  const views: number[] = [];
  let [tooLong, withoutView, judged] = [0, 0, 0];
  for (const [set, judgedSet] of sets.entries()) {
    const { testIndex, task, grids } = judgedSet;
    const own = viewsOf(judgedSet, options);
    views.push(own.length);
    withoutView += (options.augmentations - own.length) * grids.length;
    for (const [view, augmentation] of own.entries()) {
      const asked = new Set<number>();
      for (const places of shownTogether(grids.length, inPairs)) {
        const candidates = places.map((grid) => grids[grid]!);
        const shown = augmentTask(withShown(task, testIndex, candidates), augmentation);
        const prompt = fitting(builder, shown, testIndex, options.maxSeqLen)(longest);
        if (prompt === null) continue;
        requests.push({ prompt, answers });
        owners.push(places.map((grid) => ({ set, grid, view })));
        for (const grid of places) asked.add(grid);
      }
      // a candidate that has no rival needs no prompt
      const answered = inPairs && grids.length === 1 ? 1 : asked.size;
      judged += answered;
      tooLong += grids.length - answered;
    }
  }
  return { requests, owners, views, judged, tooLong, withoutView };
}

const withShown = (task: Task, testIndex: number, candidates: readonly Grid[]): Task => ({
  ...task,
  test: task.test.with(testIndex, { ...task.test[testIndex]!, candidates }),
});

/**
 * The scores of the judged grids, by set: of its "yes" among yes and no, or the mean over the pairs that it is in of
 * its being chosen. A grid that has no rival is certain.
 */
export function scoresOfChoices(
  sets: readonly CandidateSet[],
  { owners, views }: Pick<ScorePlan, 'owners' | 'views'>,
  answers: readonly (readonly AnswerScore[])[],
  inPairs: boolean,
): CandidateScores[] {
  const isAlone = ({ grids }: CandidateSet) => inPairs && grids.length === 1;
  const found = sets.map((set, i) => ({
    scores: set.grids.map(() => new Array<number | null>(views[i]!).fill(isAlone(set) ? 0 : null)),
    tokens: set.grids.map(() => new Array<number>(views[i]!).fill(0)),
  }));
  const counts = new Map<string, number>();
  for (const [i, own] of owners.entries()) {
    const logProbs = answers[i]!.map(({ logProb }) => logProb);
    const most = Math.max(...logProbs);
    const total = most + Math.log(logProbs.reduce((sum, logProb) => sum + Math.exp(logProb - most), 0));
    // where a grid is judged alone, the first answer is "yes"
    for (const [j, { set, grid, view }] of own.entries()) {
      const score = logProbs[j]! - total;
      if (!Number.isFinite(score)) continue;
      const key = `${set} ${grid} ${view}`;
      const before = counts.get(key) ?? 0;
      counts.set(key, before + 1);
      const mean = found[set]!.scores[grid]![view] ?? 0;
      found[set]!.scores[grid]![view] = mean + (score - mean) / (before + 1);
      found[set]!.tokens[grid]![view] = answers[i]![j]!.tokens;
    }
  }
  return found;
}
