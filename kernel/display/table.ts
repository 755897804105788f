import { inspect } from 'node:util';

/** A row of a table: a plain object. */
export type Row = Record<string, unknown>;

/** Rows that are shown; the rest is counted. */
export const MAX_ROWS = 100;
const MAX_COLUMNS = 50;
const MAX_CELL = 200;

/** Whether a value is rows of a table: a non-empty array of plain objects that are not empty. */
export function isTable(value: unknown): value is Row[] {
  return Array.isArray(value) && value.length > 0 && value.every(isRow);
}

function isRow(value: unknown): value is Row {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.keys(value).length > 0;
}

interface Layout {
  columns: string[];
  rows: string[][];
  /** Columns whose values are all numbers stand to the right. */
  numeric: boolean[];
  note: string | undefined;
}

/** The first rows of a table, and what they do not say themselves. */
export interface TableHead {
  rows: readonly Row[];
  /** How many rows there are; default: these. */
  total?: number | undefined;
  /** In their order, which objects do not keep where names are numbers; others follow. */
  columns?: readonly string[] | undefined;
}

function layOut({ rows: all, total = all.length, columns: order = [] }: TableHead): Layout {
  const shown = all.slice(0, MAX_ROWS);
  const found = [...new Set(shown.flatMap((row) => Object.keys(row)))];
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = found.sort((a, b) => place(a) - place(b));
  const columns = names.slice(0, MAX_COLUMNS);
  const missing = [
    total > shown.length ? `${total - shown.length} more rows` : '',
    total === 0 && shown.length > 0 ? 'no rows' : '',
    names.length > columns.length ? `${names.length - columns.length} more columns` : '',
  ].filter(Boolean);
  return {
    columns,
    rows: shown.map((row) => columns.map((name) => (name in row ? cellText(row[name]) : ''))),
    numeric: columns.map((name) => shown.every((row) => !(name in row) || isNumber(row[name]))),
    note: missing.length > 0 ? `… ${missing.join(' and ')}` : undefined,
  };
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

function cellText(value: unknown): string {
  const text =
    typeof value === 'string' ? value : inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL - 1)}…` : text;
}

/** Rows as an HTML table. */
export function tableHtml(head: TableHead): string {
  const { columns, rows, numeric, note } = layOut(head);
  const align = (i: number) => (numeric[i] ? 'right' : 'left');
  const line = (tag: 'th' | 'td', texts: readonly string[]) =>
    `<tr>${texts.map((text, i) => `<${tag} style="text-align:${align(i)}">${escapeHtml(text)}</${tag}>`).join('')}</tr>`;
  const body = rows.map((row) => line('td', row)).join('\n');
  const foot = note === undefined ? '' : `\n<div>${note}</div>`;
  return `<table>\n<thead>${line('th', columns)}</thead>\n<tbody>\n${body}\n</tbody>\n</table>${foot}`;
}

/** Rows as text in columns. */
export function tableText(head: TableHead): string {
  const { columns, rows, numeric, note } = layOut(head);
  const flat = rows.map((row) => row.map((text) => text.replace(/\s+/g, ' ')));
  const widths = columns.map((name, i) => Math.max(name.length, ...flat.map((row) => row[i]!.length)));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => (numeric[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [line(columns), rule, ...flat.map(line), ...(note === undefined ? [] : [note])].join('\n');
}

/** Text that means itself in HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
}
