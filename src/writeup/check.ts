import { alignLines } from './compare-lines.js';
import type { CellJson, NotebookJson } from './notebook-json.js';
import { type OutputLine, outputLines } from './output-lines.js';

/** A number, a line or a picture that a rerun gave differently. */
export interface Change {
  /** Position of the cell in the notebook, from 1. */
  readonly cell: number;
  /** The line of output as it was recorded; empty for a line that is new. */
  readonly recorded: string;
  /** The line of the rerun; empty for one that is gone. */
  readonly now: string;
  /** The largest relative difference of a number in the line; `undefined` where words or pictures differ. */
  readonly difference?: number;
}

/** What a rerun of a write-up gave. */
export interface CheckResult {
  /** Recorded numbers that were compared. */
  readonly numbers: number;
  /** Recorded numbers that have no counterpart in the rerun; each is in one of the changes. */
  readonly missing: number;
  /** Numbers left out because they are times, speeds, dates or amounts of memory. */
  readonly ignored: number;
  readonly changes: readonly Change[];
}

/** Options of {@link compareRuns}. */
export interface CheckOptions {
  /** The largest relative difference that is not reported, such as 0.01 (default 0). */
  tolerance?: number;
}

function relativeDifference(a: number, b: number): number {
  return a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
}

/** The lines of a cell that ran again: the output of a cell that is never executed is an old result. */
function rerunLines(cell: CellJson | undefined): OutputLine[] {
  return cell?.metadata.tags?.includes('skip-execution') ? [] : outputLines(cell);
}

/**
 * Compares what a write-up recorded with what a rerun gave, standard error included: number by number in lines that
 * say the same words. A recorded line without a counterpart is a change, and so is a new one. Times, speeds, dates and
 * memory are left out; of a picture the words in it are compared, and then whether it is the same.
 */
export function compareRuns(
  recorded: NotebookJson,
  rerun: NotebookJson,
  { tolerance = 0 }: CheckOptions = {},
): CheckResult {
  const total = { numbers: 0, missing: 0, ignored: 0 };
  const changes: Change[] = [];
  for (const [i, cell] of recorded.cells.entries()) {
    const other =
      rerun.cells.find((candidate) => candidate.id !== undefined && candidate.id === cell.id) ??
      rerun.cells[i];
    for (const [was, is] of alignLines(outputLines(cell), rerunLines(other), ({ words }) => words)) {
      total.ignored += was?.ignored ?? 0;
      const change = { cell: i + 1, recorded: was?.text ?? '', now: is?.text ?? '' };
      if (was === undefined || is === undefined || was.words !== is.words) {
        total.missing += was?.numbers.length ?? 0;
        changes.push(change);
        continue;
      }
      total.numbers += was.numbers.length;
      const difference = Math.max(
        0,
        ...was.numbers.map((value, k) => relativeDifference(value, is.numbers[k]!)),
      );
      if (difference > tolerance) changes.push({ ...change, difference });
      else if (was.picture !== is.picture) {
        changes.push({ ...change, recorded: `${was.text} [picture]`, now: `${is.text} [another picture]` });
      }
    }
  }
  return { ...total, changes };
}
