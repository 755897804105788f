/** Tables of data in the forms that libraries give them, known by their shape: no library is needed or loaded. */
import type { MimeBundle } from '../contract.js';
import { call, hasMethods, property } from './property.js';
import { isTable, MAX_ROWS, type Row, type TableHead, tableHtml, tableText } from './table.js';

export function formatFrame(value: unknown): MimeBundle | undefined {
  if (isTable(value)) return tableBundle({ rows: value });
  if (value instanceof Map || value instanceof Set) return collectionBundle(value);
  const frame = [arquero, danfo, polars, duckdb, arrow].reduce<TableHead | undefined>(
    (found, read) => found ?? read(value),
    undefined,
  );
  return frame && tableBundle(frame);
}

function tableBundle(head: TableHead): MimeBundle {
  return { 'text/html': tableHtml(head), 'text/plain': tableText(head) };
}

/** A map or a set as a table, where its values are rows; a map of plain values has two columns. */
function collectionBundle(value: Map<unknown, unknown> | Set<unknown>): MimeBundle | undefined {
  const first = <T>(items: Iterable<T>): T[] => {
    const taken: T[] = [];
    for (const item of items) {
      if (taken.length === MAX_ROWS) break;
      taken.push(item);
    }
    return taken;
  };
  if (value.size === 0) return undefined;
  if (value instanceof Set) {
    const rows = first(value);
    return isTable(rows) ? tableBundle({ rows, total: value.size }) : undefined;
  }
  const entries = first(value);
  const rows = entries.map(([key, item]) =>
    isTable([item]) ? { key, ...(item as Row) } : { key, value: item },
  );
  return tableBundle({ rows, total: value.size });
}

/** arquero: `objects({ limit })` and `numRows()`. */
function arquero(value: unknown): TableHead | undefined {
  if (!hasMethods(value, 'objects', 'numRows', 'columnNames')) return undefined;
  return frameOf(
    call(value, 'objects', { limit: MAX_ROWS }),
    call(value, 'numRows'),
    call(value, 'columnNames'),
  );
}

/** danfojs: `columns`, `values` by row and `shape`; a series has a single column. */
function danfo(value: unknown): TableHead | undefined {
  const [columns, values, shape] = [
    property(value, 'columns'),
    property(value, 'values'),
    property(value, 'shape'),
  ];
  if (!Array.isArray(columns) || !Array.isArray(values) || !Array.isArray(shape)) return undefined;
  if (!hasMethods(value, 'print')) return undefined;
  const index = property(value, 'index');
  const rows = values.slice(0, MAX_ROWS).map((row: unknown, i) => {
    const cells = Array.isArray(row) ? row : [row];
    const label = Array.isArray(index) ? [['', index[i]]] : [];
    return Object.fromEntries([...label, ...columns.map((name, j) => [String(name), cells[j]])]);
  });
  return { rows, total: values.length, columns: ['', ...columns.map(String)] };
}

/** polars: `height`, `head(n)` and `toRecords()`. */
function polars(value: unknown): TableHead | undefined {
  if (!hasMethods(value, 'toRecords', 'head')) return undefined;
  const height = property(value, 'height') ?? property(property(value, 'shape'), 'height');
  return frameOf(call(call(value, 'head', MAX_ROWS), 'toRecords'), height, property(value, 'columns'));
}

/** duckdb: a reader that holds the rows that were read, `getRowObjects()`. */
function duckdb(value: unknown): TableHead | undefined {
  if (!hasMethods(value, 'getRowObjects', 'columnNames')) return undefined;
  const rows = call(value, hasMethods(value, 'getRowObjectsJson') ? 'getRowObjectsJson' : 'getRowObjects');
  // of a result that is still to be read it is a promise
  return Array.isArray(rows) ? frameOf(rows, rows.length, call(value, 'columnNames')) : undefined;
}

/** Apache Arrow: `numRows`, `schema.fields` and `get(i)`, whose rows have `toJSON()`. */
function arrow(value: unknown): TableHead | undefined {
  const [total, fields] = [property(value, 'numRows'), property(property(value, 'schema'), 'fields')];
  if (typeof total !== 'number' || !Array.isArray(fields) || !hasMethods(value, 'get')) return undefined;
  const rows = Array.from({ length: Math.min(total, MAX_ROWS) }, (_, i) => {
    const row = call(value, 'get', i);
    return hasMethods(row, 'toJSON') ? call(row, 'toJSON') : row;
  });
  return frameOf(
    rows,
    total,
    fields.map((field) => property(field, 'name')),
  );
}

/** Rows as they came; where there are none, the columns alone make one without content. */
function frameOf(rows: unknown, total: unknown, columns: unknown): TableHead | undefined {
  if (!Array.isArray(rows)) return undefined;
  const count = typeof total === 'number' ? total : rows.length;
  const names = Array.isArray(columns) ? columns.map(String) : [];
  if (rows.length > 0)
    return { rows: rows.map((row) => ({ ...(row as Row) })), total: count, columns: names };
  return { rows: [Object.fromEntries(names.map((name) => [name, '']))], total: 0, columns: names };
}
