import type { Grid } from '../arc/types.js';
import type { Results } from './files.js';
import { scoreGrid } from './grids.js';
import type { Attempts, Prediction } from './types.js';
import { groupPredictions } from './voting.js';

/** How one task differs between two result files. */
export interface TaskDifference {
  readonly taskId: string;
  /** One reason, in words: `test input 0: 2 of 8 attempts differ (first: attempt_3, 4 of 9 cells)`. */
  readonly reasons: readonly string[];
}

/** What {@link compareResults} found. */
export interface Comparison {
  readonly identical: boolean;
  /** How many tasks are in either file. */
  readonly tasks: number;
  readonly differences: readonly TaskDifference[];
}

function cellsThatDiffer(a: Grid, b: Grid): string {
  const { sameSize, correctPixels } = scoreGrid(a, b);
  const size = (grid: Grid) => `${grid.length}x${grid[0]!.length}`;
  if (!sameSize) return `size ${size(a)} against ${size(b)}`;
  const cells = b.length * b[0]!.length;
  return `${Math.round((1 - correctPixels) * cells)} of ${cells} cells`;
}

function compareAttempts(a: Attempts, b: Attempts): string | null {
  if (a.length !== b.length) return `${a.length} attempts against ${b.length}`;
  const wrong = a.flatMap((grid, i) => {
    const other = b[i]!;
    if (grid === null && other === null) return [];
    if (grid === null || other === null)
      return [`attempt_${i + 1}, ${grid === null ? 'first' : 'second'} unanswered`];
    return scoreGrid(grid, other).exact ? [] : [`attempt_${i + 1}, ${cellsThatDiffer(grid, other)}`];
  });
  if (wrong.length === 0) return null;
  return `${wrong.length} of ${a.length} attempts ${wrong.length === 1 ? 'differs' : 'differ'} (first: ${wrong[0]})`;
}

/** Texts and log-probabilities, where both files have them; grids are compared before. */
function compareDetails(a: readonly Prediction[], b: readonly Prediction[], tolerance: number): string[] {
  const otherText = (x: Prediction, i: number) =>
    x.text !== undefined && b[i]!.text !== undefined && x.text !== b[i]!.text;
  const texts = a.filter(otherText).length;
  // another text has another log-probability: nothing new
  const gaps = a.map((x, i) =>
    otherText(x, i) || x.logProb === b[i]!.logProb ? 0 : Math.abs(x.logProb - b[i]!.logProb),
  );
  const largest = Math.max(0, ...gaps);
  return [
    ...(texts > 0 ? [`same grids, but ${texts} of ${a.length} texts differ`] : []),
    ...(largest > tolerance
      ? [
          `same grids, but log-probabilities differ by up to ${largest.toPrecision(3)} (tolerance ${tolerance})`,
        ]
      : []),
  ];
}

/**
 * Verifies that inference did not change: compares every attempt of every test input; where both files are
 * detailed, the texts and the log-probabilities (within `tolerance` nats) too.
 */
export function compareResults(a: Results, b: Results, { tolerance = 1e-3 } = {}): Comparison {
  const ids = [...new Set([...a.answers.keys(), ...b.answers.keys()])];
  const detailsOfA = a.predictions && b.predictions ? groupPredictions(a.predictions) : undefined;
  const detailsOfB = a.predictions && b.predictions ? groupPredictions(b.predictions) : undefined;
  const differences: TaskDifference[] = [];
  for (const taskId of ids) {
    const left = a.answers.get(taskId);
    const right = b.answers.get(taskId);
    const reasons: string[] = [];
    if (left === undefined || right === undefined) {
      reasons.push(`only in ${left === undefined ? b.source : a.source}`);
    } else if (left.length !== right.length) {
      reasons.push(`${left.length} test inputs against ${right.length}`);
    } else {
      for (const [i, attempts] of left.entries()) {
        const found = compareAttempts(attempts, right[i]!);
        const details =
          found === null && detailsOfA && detailsOfB
            ? compareDetails(detailsOfA.get(taskId)![i]!, detailsOfB.get(taskId)![i]!, tolerance)
            : [];
        for (const reason of found === null ? details : [found]) reasons.push(`test input ${i}: ${reason}`);
      }
    }
    if (reasons.length > 0) differences.push({ taskId, reasons });
  }
  return { identical: differences.length === 0, tasks: ids.length, differences };
}

/** A comparison in lines for a person, with at most `limit` tasks. */
export function describeComparison({ identical, tasks, differences }: Comparison, limit = 20): string {
  if (identical) return `identical: ${tasks} ${tasks === 1 ? 'task' : 'tasks'}`;
  const lines = differences
    .slice(0, limit)
    .flatMap(({ taskId, reasons }) => reasons.map((r) => `  ${taskId}: ${r}`));
  const rest = differences.length - limit;
  return [
    `different: ${differences.length} of ${tasks} ${tasks === 1 ? 'task' : 'tasks'}`,
    ...lines,
    ...(rest > 0 ? [`  and ${rest} more ${rest === 1 ? 'task' : 'tasks'}`] : []),
  ].join('\n');
}
