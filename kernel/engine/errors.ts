import { inspect } from 'node:util';
import type { CellError } from '../contract.js';
import { type CodePlace, firstPlace, mapStack, sourceNamed } from './stack.js';
import { SourceSyntaxError } from './strip.js';

const RED = '\x1b[31m';
const GREY = '\x1b[90m';
const BOLD = '\x1b[1m';
const RESET = '\x1b[0m';
/** Lines of code shown before and after the one with the error. */
const LINES_AROUND = 2;
/** Characters of a line that are shown: where a notebook breaks it, the mark would stand below something else. */
const MAX_WIDTH = 80;

/** What a cell has thrown, as a person reads it; `place` is shown where nothing of the person's is in the stack. */
export function describeError(thrown: unknown, place?: CodePlace): CellError {
  try {
    return describe(thrown, place);
  } catch {
    return {
      ename: 'Error',
      evalue: 'an error that cannot be shown',
      traceback: ['an error that cannot be shown'],
    };
  }
}

function describe(thrown: unknown, fallback: CodePlace | undefined): CellError {
  if (!isError(thrown)) {
    const evalue = inspect(thrown);
    return {
      ename: 'Uncaught',
      evalue,
      traceback: [`${RED}Uncaught${RESET} ${inspect(thrown, { colors: true })}`],
    };
  }
  const ename = String(thrown.name || thrown.constructor?.name || 'Error');
  const evalue = String(thrown.message);
  if (thrown instanceof SourceSyntaxError) {
    const place = { name: thrown.fileName, line: thrown.line, column: thrown.column };
    return { ename, evalue, traceback: [...codeFrame(place), title(ename, evalue)] };
  }
  const stack = mapStack(String(thrown.stack ?? ''));
  if (thrown.stack !== stack) setStack(thrown, stack);
  const plain = inspect(thrown);
  const place = firstPlace(stack) ?? fallback;
  const frame = place === undefined ? [] : codeFrame(place);
  // neither frames nor anything else to show
  if (plain.startsWith('[') && !plain.includes('\n')) {
    return { ename, evalue, traceback: [...frame, title(ename, evalue)] };
  }
  const [first, ...rest] = inspect(thrown, { colors: true }).split('\n');
  return { ename, evalue, traceback: [...frame, `${RED}${first}${RESET}`, ...rest] };
}

function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || Object.prototype.toString.call(thrown) === '[object Error]';
}

function setStack(error: Error, stack: string): void {
  try {
    error.stack = stack;
  } catch {
    // frozen: then it is shown as it is
  }
}

/** An error of the kernel about a cell that has no stack worth showing. */
export function plainError(ename: string, evalue: string, place?: CodePlace): CellError {
  return {
    ename,
    evalue,
    traceback: [...(place === undefined ? [] : codeFrame(place)), title(ename, evalue)],
  };
}

function title(ename: string, evalue: string): string {
  return `${RED}${BOLD}${ename}${RESET}: ${evalue}`;
}

/** The lines around a place with a mark below it; only the name of the place where its text is not known. */
function codeFrame({ name, line, column }: CodePlace): string[] {
  const head = `${BOLD}${name}:${line}:${column + 1}${RESET}`;
  const source = sourceNamed(name);
  if (source === undefined) return [head];
  const lines = source.split('\n');
  const first = Math.max(1, line - LINES_AROUND);
  const last = Math.min(lines.length, line + LINES_AROUND);
  const width = String(last).length;
  const frame = [head];
  // of long lines the part around the column
  const from = column < MAX_WIDTH ? 0 : column - MAX_WIDTH / 2;
  for (let number = first; number <= last; number++) {
    const text = cut(lines[number - 1]!, from);
    const label = String(number).padStart(width);
    if (number !== line) {
      frame.push(`${GREY}  ${label} |${RESET} ${text}`);
      continue;
    }
    frame.push(`${RED}>${RESET} ${label} ${GREY}|${RESET} ${text}`);
    // tabs stay tabs, so that the mark stands below the column
    const indent = text.slice(0, column - from).replace(/[^\t]/g, ' ');
    frame.push(`  ${' '.repeat(width)} ${GREY}|${RESET} ${indent}${RED}^${RESET}`);
  }
  return [...frame, ''];
}

/** The part of a line that is shown; what is missing becomes `…` without moving the rest. */
function cut(line: string, from: number): string {
  const start =
    from > 0 && line.length > from
      ? `…${line.slice(from + 1, from + MAX_WIDTH)}`
      : line.slice(from, MAX_WIDTH);
  return line.length > from + MAX_WIDTH ? `${start}…` : start;
}
