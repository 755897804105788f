import { messageOf, UserError } from '../../../src/common/errors.js';
import { COMMENT, comment, type PercentScript, type ScriptCell, uncomment } from './cell.js';
import { parseYaml, stringifyYaml } from './yaml.js';

type Metadata = Record<string, unknown>;

const FENCE = /^---\s*$/;
const CODING = /^[ \t\f]*\/\/.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)/;

/** Metadata of a notebook that stays there: what the kernel says of itself, and the state of widgets. */
export const ONLY_IN_NOTEBOOKS = ['language_info', 'widgets'];

/** What a header holds, and where the cells begin. */
export interface ScriptHeader {
  metadata: Metadata;
  /** YAML beside the notebook's metadata, which is a raw cell in the notebook. */
  cell: ScriptCell | undefined;
  /** Index of the first line behind it. */
  end: number;
}

/** Reads the header of a script, if it has one. @param source the file's name, for errors @throws {UserError} */
export function readHeader(lines: readonly string[], source: string): ScriptHeader {
  const jupytext: Metadata = {};
  let start = 0;
  if (lines[start]?.startsWith('#!')) jupytext.executable = lines[start++]!.slice(2);
  const coding = CODING.exec(lines[start] ?? '');
  if (coding !== null) {
    if (!/^utf-?8$/i.test(coding[1]!)) {
      throw new UserError(`${source}:${start + 1}: the encoding is ${coding[1]}, expected utf-8`);
    }
    jupytext.encoding = lines[start++]!;
  }
  const isHeader = lines[start]?.startsWith(COMMENT) && FENCE.test(uncomment(lines[start]!));
  const length = isHeader ? lines.slice(start + 1).findIndex((line) => FENCE.test(uncomment(line))) : -1;
  const content = length < 0 ? [] : lines.slice(start + 1, start + 1 + length);
  if (length < 0 || !content.every((line) => line.startsWith(COMMENT))) {
    return { metadata: Object.keys(jupytext).length === 0 ? {} : { jupytext }, cell: undefined, end: start };
  }
  const { notebook, rest } = split(content.map(uncomment));
  const metadata = notebook.length === 0 ? {} : parseNotebook(notebook, source, start + 1);
  if (Object.keys(jupytext).length > 0) {
    metadata.jupytext = { ...(metadata.jupytext as Metadata | undefined), ...jupytext };
  }
  const text = ['---', ...rest, '---'].join('\n');
  const end = start + length + 2;
  return {
    metadata: withoutRepresentation(metadata),
    cell: rest.length === 0 ? undefined : { type: 'raw', source: text, metadata: {} },
    end: lines[end]?.trim() === '' ? end + 1 : end,
  };
}

/** The lines of a header, and the cells that are not in it. */
export function writeHeader({ metadata, cells }: PercentScript): { lines: string[]; rest: ScriptCell[] } {
  const kept = Object.fromEntries(
    Object.entries(metadata).filter(([name]) => !ONLY_IN_NOTEBOOKS.includes(name)),
  ) as Metadata;
  const { executable, encoding, ...jupytext } = { ...(kept.jupytext as Metadata | undefined) };
  const first = typeof executable === 'string' ? [`#!${executable}`] : [];
  if (typeof encoding === 'string') first.push(encoding);
  const representation = { extension: '.ts', format_name: 'percent', format_version: '1.3' };
  const header = { jupyter: { ...kept, jupytext: { ...jupytext, text_representation: representation } } };
  const own = frontMatter(cells[0]);
  const text = stringifyYaml(header).trimEnd().split('\n');
  const lines = ['---', ...(own ?? []), ...text, '---'].map(comment);
  const rest = own === undefined ? cells : cells.slice(1);
  return { lines: [...first, ...lines, ...(rest.length > 0 ? [''] : [])], rest };
}

/** The lines of a raw cell between `---` and `---` that can stand in the header. */
function frontMatter(cell: ScriptCell | undefined): string[] | undefined {
  if (cell?.type !== 'raw' || Object.keys(cell.metadata).length > 0) return undefined;
  const lines = cell.source.split('\n');
  const inner = lines.slice(1, -1);
  const isFramed = lines.length > 2 && lines[0] === '---' && lines.at(-1) === '---';
  const isPlain = inner.every((line) => !FENCE.test(line) && !/^jupyter\s*:/.test(line));
  // what is indented would belong to whatever stands in front of it
  return isFramed && isPlain && !/^\s/.test(inner[0]!) ? inner : undefined;
}

/** Parts the header into what is below `jupyter:` and everything else. */
function split(lines: readonly string[]): { notebook: string[]; rest: string[] } {
  const notebook: string[] = [];
  const rest: string[] = [];
  let isNotebook = false;
  for (const line of lines) {
    if (/^jupyter\s*:\s*$/.test(line)) isNotebook = true;
    else if (line !== '' && !/^\s/.test(line)) isNotebook = false;
    (isNotebook ? notebook : rest).push(line);
  }
  return { notebook, rest };
}

function parseNotebook(lines: readonly string[], source: string, offset: number): Metadata {
  let value: unknown;
  try {
    ({ jupyter: value } = parseYaml(lines.join('\n')) as Metadata);
  } catch (error) {
    const [what] = messageOf(error).split('\n');
    throw new UserError(`${source}:${offset}: the header is not valid YAML: ${what}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(
      `${source}:${offset}: "jupyter" of the header is no mapping: expected kernelspec and the like`,
    );
  }
  return value as Metadata;
}

/** The header says what it is; the notebook need not. */
function withoutRepresentation(metadata: Metadata): Metadata {
  const { jupytext, ...rest } = metadata;
  if (typeof jupytext !== 'object' || jupytext === null) return metadata;
  const { text_representation: _, ...kept } = jupytext as Metadata;
  return Object.keys(kept).length === 0 ? rest : { ...rest, jupytext: kept };
}
