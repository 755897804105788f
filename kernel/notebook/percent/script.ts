/**
 * Notebooks as TypeScript files in jupytext's percent format 1.3. Reading what was written gives the same cells and
 * metadata; where jupytext would lose something, there is a way to write it that it reads as well as it can.
 */
import { comment, isActive, type PercentScript, type ScriptCell, uncomment } from './cell.js';
import { readHeader, writeHeader } from './header.js';
import { formatMarker, isMarker, parseMarker } from './marker.js';

/** Metadata that stays in the notebook: how it is shown, when it ran, and what jupytext notes for itself. */
export const NOT_IN_SCRIPTS = [
  'autoscroll',
  'collapsed',
  'scrolled',
  'trusted',
  'execution',
  'ExecuteTime',
  'cell_marker',
  'skipline',
  'noskipline',
  'lines_to_end_of_cell_marker',
];
/** Blank lines in front of the next marker, where there are none; 1 is usual, and more belong to the cell. */
const LINES = 'lines_to_next_cell';

/**
 * Lines that a reader would take for the beginning of a cell are commented once more, however often they are already,
 * and so are a kernel's magics in code, as jupytext does it.
 */
const BEGINNING = /^\s*(?:\/\/\s*)*(?:%%+(?:\s|$)|(?:<codecell>|In\[[0-9 ]*\]:?)\s*$)/;
const MAGIC = /^\s*(?:\/\/ ?)*%{1,3}[a-zA-Z]/;

/** Reads a script. @param source the file's name, for errors @throws {UserError} where its header is wrong */
export function readScript(text: string, source: string): PercentScript {
  const plain = text.replace(/^\uFEFF/, '');
  // by its first line: a carriage return may stand in a cell, too
  const lines = plain.split(/^[^\n]*\r\n/.test(plain) ? /\r?\n/ : '\n');
  // the end of the last line is not a line
  if (lines.at(-1) === '') lines.pop();
  const { metadata, cell, end } = readHeader(lines, source);
  const cells = cell === undefined ? [] : [cell];
  const starts = lines.flatMap((line, i) => (i >= end && isMarker(line) ? [i] : []));
  const first = starts[0] ?? lines.length;
  const before = lines.slice(end, first);
  if (before.some((line) => line.trim() !== ''))
    cells.push(readCell(undefined, before, first === lines.length));
  starts.forEach((start, i) => {
    const next = starts[i + 1];
    cells.push(readCell(lines[start], lines.slice(start + 1, next), next === undefined));
  });
  return { metadata, cells };
}

/** Writes a script. */
export function writeScript(script: PercentScript): string {
  const { lines, rest } = writeHeader(script);
  for (const [i, cell] of rest.entries()) {
    if (i > 0 && !(rest[i - 1]!.metadata[LINES] === 0 && lines.at(-1) !== '')) lines.push('');
    lines.push(...writeCell(cell));
  }
  return `${lines.join('\n')}\n`;
}

function readCell(marker: string | undefined, body: readonly string[], isLast: boolean): ScriptCell {
  const { type: named, metadata } = marker === undefined ? { metadata: {} } : parseMarker(marker);
  const type = named ?? (isActive(metadata, 'ipynb') ? 'code' : 'raw');
  const lines = [...body];
  if (!isLast) {
    if (lines.at(-1) === '') lines.pop();
    else metadata[LINES] = 0;
  }
  const isCode = (named === undefined || named === 'code') && isActive(metadata, 'ts');
  const read = isCode ? unescapeCode : (line: string) => unescapeText(uncomment(line));
  return { type, metadata, source: lines.map(read).join('\n') };
}

function writeCell({ type, source, metadata }: ScriptCell): string[] {
  const kept = Object.fromEntries(
    Object.entries(metadata).filter(([name]) => name !== LINES && !NOT_IN_SCRIPTS.includes(name)),
  );
  // what its metadata says is not named: a raw cell that is code in scripts
  const byMetadata = isActive(metadata, 'ipynb') ? 'code' : 'raw';
  const isNamed = type !== byMetadata;
  const isCode = (type === 'code' || !isNamed) && isActive(metadata, 'ts');
  const lines = source.split('\n');
  // a marker stands where its code does
  const indent = isCode && lines[0]!.trim() !== '' ? /^\s*/.exec(lines[0]!)![0] : '';
  const marker = indent + formatMarker(type, kept, isNamed);
  if (source === '' && isCode) return [marker];
  return [marker, ...lines.map(isCode ? escapeCode : (line) => comment(escapeText(line)))];
}

function isEscapedCode(line: string): boolean {
  return MAGIC.test(line) || (/^\s*\/\//.test(line) && BEGINNING.test(line));
}

function escapeCode(line: string): string {
  return isEscapedCode(line) ? line.replace(/^\s*/, (indent) => `${indent}// `) : line;
}

function unescapeCode(line: string): string {
  const inner = line.replace(/^(\s*)\/\/ ?/, '$1');
  return inner !== line && isEscapedCode(inner) ? inner : line;
}

function escapeText(line: string): string {
  return BEGINNING.test(line) ? `// ${line}` : line;
}

function unescapeText(line: string): string {
  return line.startsWith('// ') && BEGINNING.test(line.slice(3)) ? line.slice(3) : line;
}
