import { UserError } from '../../src/common/errors.js';
import type { Cell, NotebookDocument } from '../notebook/index.js';

/** The cells that `--cells` names, counted from 1, both included. */
export interface CellRange {
  first: number;
  last: number;
}

/** Parses `3`, `3-7` or `3-` (to the end). @throws {UserError} */
export function parseCellRange(text: string): CellRange {
  const match = /^(\d+)(?:-(\d*))?$/.exec(text);
  const first = Number(match?.[1] ?? 0);
  const last = match?.[2] === undefined ? first : match[2] === '' ? Infinity : Number(match[2]);
  if (first < 1 || last < first) {
    throw new UserError(`--cells: expected cells counted from 1, such as 3-7, 3 or 3-, found "${text}"`);
  }
  return { first, last };
}

/** What happens to a code cell: `rebuild` runs it for its effect on the kernel and keeps the outputs it has. */
export interface PlannedCell {
  index: number;
  /** Position in the notebook as the person knows it, from 1; 0 for a cell that this run put in. */
  number: number;
  action: 'run' | 'rebuild';
}

/** Options of {@link planCells}. */
export interface CellPlanOptions {
  /** Index of a cell that parameters were written into, and whether it is new. */
  injection?: { index: number; isNew: boolean };
  range?: CellRange;
  /** The notebook that an earlier run left; its finished cells are not run again. */
  earlier?: NotebookDocument;
  /** Whether a cell that ended in an error counts as finished. */
  allowErrors?: boolean;
}

/** The cells to run, in order. Cells that are blank or tagged `skip-execution` are left out. */
export function planCells(document: NotebookDocument, options: CellPlanOptions): PlannedCell[] {
  const { injection, range, earlier } = options;
  const total = document.cells.length - (injection?.isNew ? 1 : 0);
  if (range && (range.first > total || (range.last > total && range.last !== Infinity))) {
    const given = range.first === range.last ? range.first : `${range.first}-${range.last}`;
    throw new UserError(`--cells: the notebook has ${total} cells, found ${given}`);
  }
  const planned: PlannedCell[] = [];
  document.cells.forEach((cell, index) => {
    if (!isRunnable(cell)) return;
    const isInjected = index === injection?.index;
    const isNew = isInjected && injection!.isNew;
    const number = isNew ? 0 : index + 1 - (injection?.isNew && index > injection.index ? 1 : 0);
    // values that were given are always set
    if (range && !isInjected && (number < range.first || number > range.last)) return;
    planned.push({ index, number, action: 'run' });
  });
  if (earlier) markFinished(document, earlier, planned, options.allowErrors ?? false);
  return planned;
}

/** Whether a cell is sent to the kernel at all: the same rule as nbclient's. */
function isRunnable({ type, source, tags }: Cell): boolean {
  return type === 'code' && source.trim() !== '' && !tags.includes('skip-execution');
}

/** A cell that may fail without ending the run. */
export function mayFail({ tags }: Cell): boolean {
  return tags.includes('raises-exception');
}

/**
 * The finished cells at the beginning get the outputs that they had; they are to be rebuilt, or, tagged
 * `skip-on-resume`, left out. They reach to the first that has not finished or whose source is another one now.
 */
function markFinished(
  document: NotebookDocument,
  earlier: NotebookDocument,
  planned: PlannedCell[],
  allowErrors: boolean,
): void {
  const before = earlier.cells.filter(isRunnable);
  let finished = 0;
  for (const { index } of planned) {
    const [cell, was] = [document.cells[index]!, before[finished]];
    if (was === undefined || was.source !== cell.source || was.executionCount === null) break;
    const failed = was.outputs.some((output) => output.output_type === 'error');
    if (failed && !allowErrors && !mayFail(was)) break;
    document.setRun(index, was);
    finished++;
  }
  for (const cell of planned.slice(0, finished)) cell.action = 'rebuild';
  const kept = planned.filter(
    ({ index, action }) => action === 'run' || !document.cells[index]!.tags.includes('skip-on-resume'),
  );
  planned.splice(0, planned.length, ...kept);
}
