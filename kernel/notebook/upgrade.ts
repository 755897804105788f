import { createHash } from 'node:crypto';
import { UserError } from '../../src/common/errors.js';
import { isObject } from '../../src/common/is-object.js';
import { joinLines, splitLines } from './outputs.js';

type Json = Record<string, unknown>;

/**
 * An id for a cell that has none: the same for the same place and content, so that upgrading twice gives the same
 * file. @param taken ids in use; the new one is added
 */
export function cellId(position: number, source: string, taken: Set<string>): string {
  for (let attempt = 0; ; attempt++) {
    const hash = createHash('sha256').update(`${position}\0${attempt}\0${source}`).digest('hex');
    const id = hash.slice(0, 8);
    if (taken.has(id)) continue;
    taken.add(id);
    return id;
  }
}

/** Names of data in nbformat 3. */
const mimeTypes: Record<string, string> = {
  text: 'text/plain',
  html: 'text/html',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpeg: 'image/jpeg',
  latex: 'text/latex',
  json: 'application/json',
  javascript: 'application/javascript',
};

const withMimeTypes = (data: Json): Json =>
  Object.fromEntries(Object.entries(data).map(([name, value]) => [mimeTypes[name] ?? name, value]));

/** A notebook of nbformat 3 (IPython 2) as one of 4.5; worksheets become one list of cells. @throws {UserError} */
export function upgradeFrom3(notebook: Json, source: string): Json {
  const { worksheets, metadata } = notebook;
  if (
    !Array.isArray(worksheets) ||
    !worksheets.every((sheet) => isObject(sheet) && Array.isArray(sheet.cells))
  ) {
    throw new UserError(
      `${source}: not a notebook of nbformat 3: at /worksheets: must be a list of objects with cells`,
    );
  }
  const taken = new Set<string>();
  const { name: _, signature: __, ...kept } = isObject(metadata) ? metadata : {};
  const cells = worksheets.flatMap((sheet) => (sheet as { cells: unknown[] }).cells);
  return {
    cells: cells.map((cell, i) => {
      if (!isObject(cell)) throw new UserError(`${source}: not a notebook: cell ${i + 1} must be an object`);
      return upgradeCell(cell, i, taken);
    }),
    metadata: kept,
    nbformat: 4,
    nbformat_minor: 5,
  };
}

function upgradeCell(cell: Json, position: number, taken: Set<string>): Json {
  const { cell_type: type, metadata = {}, source = '', input = '', outputs = [], ...rest } = cell;
  const code = String(joinLines(type === 'code' ? input : source));
  const id = cellId(position, code, taken);
  if (type === 'code') {
    const { collapsed, prompt_number: count = null } = rest;
    return {
      cell_type: 'code',
      execution_count: count,
      id,
      metadata: collapsed === undefined ? metadata : { ...(metadata as Json), collapsed },
      outputs: Array.isArray(outputs) ? outputs.map((output) => upgradeOutput(output as Json)) : outputs,
      source: splitLines(code),
    };
  }
  if (type === 'heading') {
    const level = Number(rest.level ?? 1);
    const heading = `${'#'.repeat(level)} ${code.split(/\r?\n/).join(' ')}`;
    return { cell_type: 'markdown', id, metadata, source: splitLines(heading) };
  }
  return { cell_type: type === 'html' ? 'markdown' : type, id, metadata, source: splitLines(code) };
}

function upgradeOutput(output: Json): Json {
  const { output_type: type, metadata = {}, prompt_number: count = null, ...rest } = output;
  switch (type) {
    case 'pyerr':
      return { ...rest, output_type: 'error' };
    case 'stream': {
      const { stream = 'stdout', ...others } = rest;
      return { ...others, name: stream, output_type: 'stream' };
    }
    case 'pyout':
    case 'display_data': {
      const data = withMimeTypes(rest);
      // nbformat 3 kept JSON as text
      const json = joinLines(data['application/json']);
      if (typeof json === 'string') data['application/json'] = JSON.parse(json);
      const shown = { data, metadata: withMimeTypes(metadata as Json) };
      return type === 'pyout'
        ? { ...shown, execution_count: count, output_type: 'execute_result' }
        : { ...shown, output_type: 'display_data' };
    }
    default:
      return output;
  }
}
