import { escapeXml } from './picture.js';

/** A value in a table. */
export type TableCell = string | number | boolean | null | undefined;

/** One row by column name; columns are those of all rows, in the order of first sight. */
export type TableRow = Readonly<Record<string, TableCell>>;

/** How cells become text. */
export interface TableOptions {
  /** Which columns, in which order. */
  columns?: readonly string[];
  /** How many decimals the numbers of a column have (default: 3, none in a column of integers, 1 in percents). */
  decimals?: Readonly<Record<string, number>>;
  /** Columns of fractions that are shown as percents, `0.25` as `25.0%`. */
  percent?: readonly string[];
  /** Turns a cell into text, instead of `decimals` and `percent`. */
  format?: (value: TableCell, column: string) => string;
}

/** Numbers with so many decimals (default: none for integers, else three), nothing as an empty cell. */
export function formatCell(value: TableCell, decimals?: number): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'number') return String(value);
  return value.toFixed(decimals ?? (Number.isInteger(value) ? 0 : 3));
}

function layOut(rows: readonly TableRow[], options: TableOptions) {
  const names = options.columns ?? [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const isFraction = (value: TableCell) => typeof value === 'number' && !Number.isInteger(value);
  // a 1 among fractions is 1.000, so that the points stand below each other
  const fractions = new Set(names.filter((name) => rows.some((row) => isFraction(row[name]))));
  const format =
    options.format ??
    ((value, name) => {
      const decimals = options.decimals?.[name];
      if (typeof value === 'number' && options.percent?.includes(name)) {
        return `${formatCell(100 * value, decimals ?? 1)}%`;
      }
      return formatCell(value, decimals ?? (fractions.has(name) ? 3 : undefined));
    });
  return {
    names,
    // a column of numbers is aligned to the right
    numeric: names.map(
      (name) =>
        rows.some((row) => typeof row[name] === 'number') &&
        rows.every((row) => typeof row[name] === 'number' || row[name] == null),
    ),
    cells: rows.map((row) => names.map((name) => format(row[name], name))),
  };
}

/** {@link TableOptions} and what only text has. */
export interface TextTableOptions extends TableOptions {
  /** Characters of the widest column: of a longer text the middle is left out (default: all of it is shown). */
  maxWidth?: number;
}

/** A text of at most `width` characters, with `…` for what is left out of its middle. */
function shortened(text: string, width: number): string {
  const all = [...text];
  if (all.length <= width) return text;
  const end = Math.floor((width - 1) / 2);
  return [...all.slice(0, width - 1 - end), '…', ...all.slice(all.length - end)].join('');
}

/** Rows as aligned text for a terminal, with a line below the head. */
export function textTable(rows: readonly TableRow[], options: TextTableOptions = {}): string {
  const { maxWidth = Number.POSITIVE_INFINITY } = options;
  const { names: columns, numeric, cells: texts } = layOut(rows, options);
  const names = columns.map((name) => shortened(name, maxWidth));
  const cells = texts.map((row) => row.map((text) => shortened(text, maxWidth)));
  const width = (text: string) => [...text].length;
  const widths = names.map((name, i) => Math.max(width(name), ...cells.map((row) => width(row[i]!))));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => {
        const space = ' '.repeat(widths[i]! - width(text));
        return numeric[i] ? space + text : text + space;
      })
      .join('  ')
      .trimEnd();
  return [line(names), widths.map((n) => '-'.repeat(n)).join('  '), ...cells.map(line)].join('\n');
}

/** {@link TableOptions} and what only HTML has. */
export interface HtmlTableOptions extends TableOptions {
  caption?: string;
}

/** Rows as an HTML table. */
export function htmlTable(rows: readonly TableRow[], options: HtmlTableOptions = {}): string {
  const { names, numeric, cells } = layOut(rows, options);
  const side = (i: number) => (numeric[i] ? ' class="n"' : '');
  const head = names.map((name, i) => `<th scope="col"${side(i)}>${escapeXml(name)}</th>`).join('');
  const body = cells
    .map((row) => `<tr>${row.map((text, i) => `<td${side(i)}>${escapeXml(text)}</td>`).join('')}</tr>`)
    .join('');
  const caption = options.caption === undefined ? '' : `<caption>${escapeXml(options.caption)}</caption>`;
  return `<table>${caption}<thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`;
}
