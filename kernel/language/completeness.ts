import type ts from 'typescript';
import type { Completeness } from './language.js';
import { parseCell } from './parse.js';

/** Messages of the parser at the end of the text that more text can resolve. */
const UNTERMINATED = new Set([
  1002, // Unterminated string literal.
  1010, // '*/' expected.
  1126, // Unexpected end of text.
  1160, // Unterminated template literal.
  1161, // Unterminated regular expression literal.
]);

/** Whether code can be run, can be completed, or can never become valid. */
export function completenessOf(code: string): Completeness {
  const text = code.trimEnd();
  const first = firstError(text);
  if (first === undefined) return { status: 'complete' };
  if (isObjectAlone(text)) return { status: 'complete' };
  const number = first.code;
  // a quote that is not closed on its line stays wrong; a template or a comment goes on
  if (number === 1002 && !text.endsWith('\\')) return { status: 'invalid' };
  if (number === 1161) return { status: 'invalid' };
  const isAtEnd = first.start >= text.length || UNTERMINATED.has(number);
  if (!isAtEnd) return { status: 'invalid' };
  return { status: 'incomplete', indent: indentOf(text) };
}

/** Whether a cell is an object such as `{ a: 1, b: 2 }`, which the engine, unlike TypeScript, takes for no block. */
export function isObjectAlone(code: string): boolean {
  return /^\s*\{/.test(code) && !/;\s*$/.test(code) && firstError(`(${code}\n)`) === undefined;
}

/** The first thing that the parser does not understand. */
function firstError(text: string): ts.DiagnosticWithLocation | undefined {
  return parseCell(text).errors[0];
}

/** The indentation of the next line: that of the last one, and a step more behind an opening bracket. */
function indentOf(text: string): string {
  const line = text.split('\n').at(-1)!;
  const indent = /^\s*/.exec(line)![0];
  return /[{([]$|=>$/.test(line) ? `${indent}  ` : indent;
}
