import { plainText } from './export.js';
import { htmlText, tableRows } from './html-table.js';
import { type CellJson, type NotebookJson, type OutputJson, textOf } from './notebook-json.js';

/** A number, or a line, that a rerun gave differently. */
export interface Change {
  /** Position of the cell in the notebook, from 1. */
  readonly cell: number;
  /** The line of output as it was recorded; empty for a line that is new. */
  readonly recorded: string;
  /** The line of the rerun; empty for one that is gone. */
  readonly now: string;
  /** The largest relative difference of a number in the line; `undefined` where other words were said. */
  readonly difference?: number;
}

/** What a rerun of a write-up gave. */
export interface CheckResult {
  /** Numbers that were compared. */
  readonly numbers: number;
  /** Numbers left out because they are times, speeds, dates or amounts of memory. */
  readonly ignored: number;
  readonly changes: readonly Change[];
}

/** Options of {@link compareRuns}. */
export interface CheckOptions {
  /** The largest relative difference that is not reported, such as 0.01 (default 0). */
  tolerance?: number;
}

/** What differs from run to run and machine to machine without meaning anything. */
const VOLATILE =
  /\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?|\b\d+(?::\d\d)+(?:\.\d+)?|\b\d[\d,.]*(?:e[+-]?\d+)?\s*(?:ms|µs|us|ns|s|sec|seconds?|min|minutes?|h|hours?|[kMGT]i?B|bytes|(?:tokens|samples|steps|it|FLOP|GFLOP|TFLOP)(?: ?\/ ?s| per second))(?![\w/])/g;
const NUMBER = /(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?/gi;

/** What can be compared in a cell's outputs: lines of text, rows of tables, data of plots, words in drawings. */
function linesOfOutputs(outputs: readonly OutputJson[]): string[] {
  const lines: string[] = [];
  let stream = '';
  const take = (text: string) => {
    for (const line of plainText(text).split('\n')) if (line.trim() !== '') lines.push(line.trim());
  };
  const endStream = () => {
    take(stream);
    stream = '';
  };
  for (const output of outputs) {
    if (output.output_type === 'stream') {
      // warnings and progress bars are not results
      if (output.name === 'stdout') stream += textOf(output.text);
      continue;
    }
    endStream();
    if (output.output_type === 'error') take(`${output.ename}: ${output.evalue}`);
    else take(textOfBundle(output.data));
  }
  endStream();
  return lines;
}

function textOfBundle(data: Record<string, unknown>): string {
  const plot = Object.keys(data).find((type) => type.startsWith('application/vnd.vegalite.'));
  if (plot !== undefined) {
    const values = (data[plot] as { data?: { values?: unknown[] } }).data?.values ?? [];
    return values.map((value) => JSON.stringify(value)).join('\n');
  }
  if (data['text/html'] !== undefined) {
    const html = textOf(data['text/html']);
    const rows = tableRows(html);
    return rows.length > 0 ? rows.map((row) => row.join('  ')).join('\n') : htmlText(html);
  }
  if (data['text/markdown'] !== undefined) return textOf(data['text/markdown']);
  if (data['image/svg+xml'] !== undefined) return htmlText(textOf(data['image/svg+xml']));
  if (data['image/png'] !== undefined) return '';
  return textOf(data['text/plain']);
}

/** A line as words and numbers apart. */
function dissect(line: string): { words: string; numbers: number[]; ignored: number } {
  let ignored = 0;
  const numbers: number[] = [];
  const words = line
    .replace(VOLATILE, () => {
      ignored++;
      return '⏱';
    })
    .replace(NUMBER, (text) => {
      numbers.push(Number(text.replaceAll(',', '').replace('−', '-')));
      return '#';
    })
    .replace(/\s+/g, ' ');
  return { words, numbers, ignored };
}

function relativeDifference(a: number, b: number): number {
  return a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
}

/**
 * Compares what a write-up recorded with what a rerun gave: number by number in lines that say the same words.
 * Times, speeds, dates and memory are left out; of a drawing only what is written in it is compared; the standard
 * error is not read.
 */
export function compareRuns(
  recorded: NotebookJson,
  rerun: NotebookJson,
  { tolerance = 0 }: CheckOptions = {},
): CheckResult {
  let numbers = 0;
  let ignored = 0;
  const changes: Change[] = [];
  for (const [i, cell] of recorded.cells.entries()) {
    const other =
      rerun.cells.find((candidate) => candidate.id !== undefined && candidate.id === cell.id) ??
      rerun.cells[i];
    const before = outputLines(cell);
    const after = outputLines(other);
    for (let line = 0; line < Math.max(before.length, after.length); line++) {
      const [was, is] = [before[line] ?? '', after[line] ?? ''];
      const [a, b] = [dissect(was), dissect(is)];
      ignored += a.ignored;
      if (a.words !== b.words || a.numbers.length !== b.numbers.length) {
        changes.push({ cell: i + 1, recorded: was, now: is });
        continue;
      }
      numbers += a.numbers.length;
      const difference = Math.max(
        0,
        ...a.numbers.map((value, k) => relativeDifference(value, b.numbers[k]!)),
      );
      if (difference > tolerance) changes.push({ cell: i + 1, recorded: was, now: is, difference });
    }
  }
  return { numbers, ignored, changes };
}

function outputLines(cell: CellJson | undefined): string[] {
  return cell?.cell_type === 'code' ? linesOfOutputs(cell.outputs) : [];
}
