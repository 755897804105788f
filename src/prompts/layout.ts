import { maxGridSide } from '../arc/grid.js';
import type { Grid } from '../arc/types.js';
import { GridParseError } from './errors.js';
import { Choices, grammarOf, type Place, type TextGrammar } from './grammar.js';
import type { TextNetwork } from './text-network.js';

/**
 * How a grid is laid out as text. Every encoder is a change of a layout, so that writing, strict reading and
 * the grammar are each written once, for all compositions.
 */
export interface GridLayout {
  /** What is written for each of the ten colours, all of one length. */
  readonly symbols: readonly string[];
  /** Between the cells of a row. */
  readonly separator: string;
  /** How often a row's number (from 1, followed by a space) stands before its cells. */
  readonly rowNumbers: number;
  /** Code fences around the rows, outermost first; `shape` declares the number of rows and columns. */
  readonly fences: readonly ('grid' | 'shape')[];
}

const ticks = '```';

function opening(layout: GridLayout, height: number, width: number): string {
  return layout.fences
    .map((fence) => (fence === 'shape' ? `${ticks}grid shape: ${height}x${width}\n` : `${ticks}grid\n`))
    .join('');
}

function closing(layout: GridLayout): string {
  return `\n${ticks}`.repeat(layout.fences.length);
}

function rowNumber(layout: GridLayout, row: number): string {
  return `${row + 1} `.repeat(layout.rowNumbers);
}

/** Writes a grid in a layout. */
export function layOut(layout: GridLayout, grid: Grid): string {
  const rows = grid.map(
    (row, i) => rowNumber(layout, i) + row.map((cell) => layout.symbols[cell]).join(layout.separator),
  );
  return opening(layout, grid.length, grid[0]?.length ?? 0) + rows.join('\n') + closing(layout);
}

/**
 * Adds to a network what {@link layOut} can write between two nodes: all grids, and also rows of any length, in any
 * number and under any row's number, which keeps the network small.
 */
export function traceLayout(layout: GridLayout, network: TextNetwork, from: number, to: number): void {
  const [row, cell, behindCell] = [network.node(), network.node(), network.node()];
  for (let height = 1; height <= maxGridSide; height++) {
    for (let width = 1; width <= maxGridSide; width++)
      network.edge(from, row, opening(layout, height, width));
  }
  for (let i = 0; i < maxGridSide; i++) network.edge(row, cell, rowNumber(layout, i));
  for (const symbol of layout.symbols) network.edge(cell, behindCell, symbol);
  network.edge(behindCell, cell, layout.separator);
  network.edge(behindCell, row, '\n');
  network.edge(behindCell, to, closing(layout));
}

/** A piece of what was found, short enough for one line. */
function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/** The cells of one line after its row number. */
function readRow(layout: GridLayout, text: string, row: number): number[] {
  const { symbols, separator } = layout;
  const length = (symbols[0] as string).length;
  const cells: number[] = [];
  for (let at = 0; ; ) {
    const cell = symbols.indexOf(text.slice(at, at + length));
    if (cell < 0) {
      const expected = `one of ${symbols.join(' ')}`;
      throw new GridParseError(
        'cell',
        `row ${row + 1}, column ${cells.length + 1}: expected ${expected}, found ${quote(text.slice(at))}`,
      );
    }
    cells.push(cell);
    at += length;
    if (at === text.length) return cells;
    if (cells.length === maxGridSide) {
      throw new GridParseError('size', `row ${row + 1} has more than ${maxGridSide} columns`);
    }
    if (!text.startsWith(separator, at)) {
      const expected = `${quote(separator)} after column ${cells.length}`;
      throw new GridParseError(
        'cell',
        `row ${row + 1}: expected ${expected}, found ${quote(text.slice(at))}`,
      );
    }
    at += separator.length;
  }
}

/** Takes the fences off: the lines between them and every shape that they declare. */
function readFences(layout: GridLayout, text: string): { body: string; shapes: [number, number][] } {
  const shapes: [number, number][] = [];
  let body = text;
  for (const fence of layout.fences) {
    const pattern = fence === 'shape' ? /^```grid shape: ([1-9]\d*)x([1-9]\d*)\n/ : /^```grid\n/;
    const match = pattern.exec(body);
    if (!match) {
      const expected = fence === 'shape' ? `${ticks}grid shape: <rows>x<columns>` : `${ticks}grid`;
      throw new GridParseError('fence', `expected a line "${expected}", found ${quote(body)}`);
    }
    if (fence === 'shape') shapes.push([Number(match[1]), Number(match[2])]);
    body = body.slice(match[0].length);
  }
  const end = closing(layout);
  if (!body.endsWith(end)) {
    throw new GridParseError(
      'fence',
      `expected a line "${ticks}" at the end, found ${quote(body.slice(-40))}`,
    );
  }
  return { body: end === '' ? body : body.slice(0, -end.length), shapes };
}

/** Reads a grid that was written in a layout, and nothing else. @throws {GridParseError} saying what is wrong. */
export function readLayout(layout: GridLayout, text: string): Grid {
  const { body, shapes } = readFences(layout, text);
  for (const [height, width] of shapes) {
    if (height > maxGridSide || width > maxGridSide) {
      throw new GridParseError(
        'size',
        `the shape ${height}x${width} is larger than ${maxGridSide}x${maxGridSide}`,
      );
    }
  }
  const lines = body.split('\n');
  if (lines.length > maxGridSide) {
    throw new GridParseError('size', `${lines.length} rows, expected at most ${maxGridSide}`);
  }
  const grid = lines.map((line, row) => {
    const number = rowNumber(layout, row);
    if (!line.startsWith(number)) {
      throw new GridParseError(
        'row-number',
        `row ${row + 1}: expected it to begin with ${quote(number)}, found ${quote(line)}`,
      );
    }
    return readRow(layout, line.slice(number.length), row);
  });
  const width = (grid[0] as number[]).length;
  const ragged = grid.findIndex((row) => row.length !== width);
  if (ragged >= 0) {
    const found = (grid[ragged] as number[]).length;
    throw new GridParseError('ragged', `row ${ragged + 1} has ${found} cells, row 1 has ${width}`);
  }
  for (const [height, columns] of shapes) {
    if (height !== grid.length || columns !== width) {
      const found = `${grid.length}x${width}`;
      throw new GridParseError('shape', `declared as ${height}x${columns}, but it is ${found}`);
    }
  }
  return grid;
}

/** Makes each value once for its key. */
function memo<T>(make: (...parts: number[]) => T): (...parts: number[]) => T {
  const made = new Map<string, T>();
  return (...parts) => {
    const key = parts.join(' ');
    let value = made.get(key);
    if (value === undefined) {
      value = make(...parts);
      made.set(key, value);
    }
    return value;
  };
}

/**
 * The grammar of a layout: the texts that {@link readLayout} reads. A place is where the first cell begins or
 * where a cell has ended; a height or width of 0 is one that is not fixed yet.
 */
export function layoutGrammar(layout: GridLayout): TextGrammar {
  const { symbols, separator } = layout;
  const end = closing(layout);
  const done: Place = { choices: new Choices([]), final: true, after: () => done };

  /** Any cell, written after `before`. */
  const cells = (before: string, label: string) => symbols.map((symbol) => [before + symbol, label] as const);

  /** What may follow a cell: another in its row, the first of row `nextRow` (0 for none), the end. */
  const choicesBehindCell = memo((inRow, nextRow, last) => {
    return new Choices([
      ...(inRow ? cells(separator, 'cell') : []),
      ...(nextRow ? cells(`\n${rowNumber(layout, nextRow)}`, 'row') : []),
      ...(last && end !== '' ? ([[end, 'end']] as const) : []),
    ]);
  });

  const behindCell = memo((height, width, row, column): Place => {
    const inRow = column + 1 < (width || maxGridSide);
    const endOfRow = column + 1 === (width || column + 1);
    const nextRow = endOfRow && row + 1 < (height || maxGridSide) ? row + 1 : 0;
    const last = endOfRow && row + 1 === (height || row + 1);
    return {
      // without row numbers, all rows go on alike
      choices: choicesBehindCell(+inRow, layout.rowNumbers > 0 ? nextRow : +(nextRow > 0), +last),
      final: last && end === '',
      after: (label) => {
        if (label === 'cell') return behindCell(height, width, row, column + 1);
        return label === 'row' ? behindCell(height, column + 1, row + 1, 0) : done;
      },
    };
  });

  const firstCell = memo((height, width): Place => {
    const before = layout.fences.includes('shape') ? '' : opening(layout, 0, 0);
    const choices = new Choices(cells(before + rowNumber(layout, 0), 'cell'));
    return { choices, final: false, after: () => behindCell(height, width, 0, 0) };
  });

  if (!layout.fences.includes('shape')) return grammarOf(firstCell(0, 0));
  const sizes = Array.from({ length: maxGridSide }, (_, i) => i + 1);
  const shapes = sizes.flatMap((height) => sizes.map((width) => [height, width] as const));
  return grammarOf({
    choices: new Choices(
      shapes.map(([height, width]) => [opening(layout, height, width), `${height} ${width}`]),
    ),
    final: false,
    after: (label) => firstCell(...label.split(' ').map(Number)),
  });
}
