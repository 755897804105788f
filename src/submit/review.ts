/** What a submission came to, to look at: tasks with their predictions and votes, and the score of each selection rule. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadTasks } from '../arc/dataset.js';
import { gridKey } from '../arc/grid.js';
import type { Task } from '../arc/types.js';
import { validateSolutions } from '../arc/validate.js';
import { readJson } from '../common/files.js';
import type { TaskCard } from '../display/report-gallery.js';
import { loadPredictions } from '../evaluation/files.js';
import { ruleFor, rules, SELECTION_RULES, type SelectionRuleName } from '../evaluation/selection.js';
import type { Prediction } from '../evaluation/types.js';
import {
  groupPredictions,
  isAmongFirst,
  rankCandidates,
  rankEachInput,
  rankingMetrics,
} from '../evaluation/voting.js';

/** Fractions of test inputs, mean per task, then over tasks. */
export interface RuleScore {
  readonly rule: SelectionRuleName;
  /** Solved by the first attempt. */
  readonly vote_1: number;
  /** Solved by one of two attempts: what Kaggle scores. */
  readonly vote_2: number;
}

/** See {@link reviewSubmission}. */
export interface SubmissionReview {
  /** Tasks with predictions, those with known solutions first, in the order of the challenges. */
  readonly cards: readonly TaskCard[];
  /** How many tasks have known solutions. */
  readonly known: number;
  /** The score on these of each selection rule that has what it compares; empty where there are none. */
  readonly scores: readonly RuleScore[];
  /** The part of these test inputs whose solution some prediction has found: no rule can do better. */
  readonly found: number;
}

/** Whether two tasks show the same: the placeholder of a competition repeats tasks whose solutions are published. */
const sameTask = (a: Task, b: Task): boolean =>
  a.test.length === b.test.length &&
  a.test.every(({ input }, i) => gridKey(input) === gridKey(b.test[i]!.input));

/** Adds to tasks the outputs that files of solutions beside the challenges have for the same task. */
function withKnownSolutions(tasks: ReadonlyMap<string, Task>, folder: string): Map<string, Task> {
  const all = new Map(tasks);
  for (const name of readdirSync(folder).filter((file) => /solutions\.json$/.test(file))) {
    const challenges = join(folder, name.replace(/solutions\.json$/, 'challenges.json'));
    if (!existsSync(challenges)) continue;
    const source = join(folder, name);
    const solutions = validateSolutions(readJson(source, 'a file of ARC solutions'), source);
    const published = loadTasks(challenges);
    for (const [taskId, task] of tasks) {
      const outputs = solutions[taskId];
      const other = published.get(taskId);
      if (outputs === undefined || other === undefined || !sameTask(task, other)) continue;
      all.set(taskId, { ...task, test: task.test.map(({ input }, i) => ({ input, output: outputs[i]! })) });
    }
  }
  return all;
}

/**
 * Looks at what `submit` has left in a folder. Solutions are known where the challenges have them, or a file of
 * solutions beside them is about the same tasks, as in a competition's placeholder.
 * @throws {UserError} when a file is missing or broken
 */
export function reviewSubmission(options: {
  readonly challengesPath: string;
  readonly outputDir: string;
  readonly method?: SelectionRuleName;
}): SubmissionReview {
  const { challengesPath, outputDir, method } = options;
  const tasks = withKnownSolutions(loadTasks(challengesPath), dirname(challengesPath));
  const predictions = loadPredictions(join(outputDir, 'submission_task_results.json'));
  const groups = groupPredictions(predictions);
  const isKnown = ({ test }: Task) => test.every(({ output }) => output !== undefined);
  const card = ([taskId, task]: [string, Task]): TaskCard[] => {
    const lists = groups.get(taskId);
    if (lists === undefined) return [];
    const predicted = task.test.map(({ input, output }, i) => ({
      input,
      ...(output === undefined ? {} : { solution: output }),
      candidates: rankCandidates(lists[i] ?? [], ruleFor(lists[i] ?? [], method)),
      unanswered: (lists[i] ?? []).filter(({ grid }) => grid === null).length,
    }));
    return [{ title: taskId, task, predicted }];
  };
  const known = [...tasks].filter(([, task]) => isKnown(task));
  const unknown = [...tasks].filter(([, task]) => !isKnown(task));
  return {
    cards: [...known, ...unknown].flatMap(card),
    known: known.length,
    ...score(predictions, new Map(known)),
  };
}

function score(
  predictions: readonly Prediction[],
  known: ReadonlyMap<string, Task>,
): Pick<SubmissionReview, 'scores' | 'found'> {
  if (known.size === 0) return { scores: [], found: 0 };
  const scored = predictions.filter(({ taskId }) => known.has(taskId));
  const groups = groupPredictions(scored);
  // where time was up before everything was scored, some test inputs are ranked without
  const hasScores = scored.some(({ scores }) => scores !== undefined);
  const usable = SELECTION_RULES.filter((rule) => hasScores || !rules[rule].needsScores);
  const perTask = [...known].map(([taskId, { test }]) => {
    const hits = test.filter(({ output }, i) =>
      isAmongFirst(rankCandidates(groups.get(taskId)?.[i] ?? []), Number.POSITIVE_INFINITY, output!),
    );
    return hits.length / test.length;
  });
  return {
    scores: usable.map((rule) => {
      const { vote_1, vote_2 } = rankingMetrics(rankEachInput(scored, rule), known);
      return { rule, vote_1: vote_1!, vote_2: vote_2! };
    }),
    found: perTask.reduce((sum, value) => sum + value, 0) / known.size,
  };
}
