/** The line that a cell begins with: `// %% Title [markdown] key="value"`, as jupytext reads and writes it. */
import { isObject } from '../../../src/common/is-object.js';
import type { ScriptCell } from './cell.js';

type Metadata = Record<string, unknown>;

const MARKER = /^\s*\/\/\s*%%(%*)\s(.*)$/s;
/** Also those of other editors, without anything behind them. */
const BARE_MARKER = /^\s*\/\/\s*(?:%%|<codecell>|In\[[0-9 ]*\]:?)\s*$/;
const KEY = /^[a-zA-Z0-9_.-]+$/;
const TYPE = /\[(markdown|md|raw|code)\]/;
/** What jupytext calls options that it cannot read; they are kept as they are. */
const UNREADABLE = 'incorrectly_encoded_metadata';

/** Whether a line begins a cell. */
export function isMarker(line: string): boolean {
  return MARKER.test(line) || BARE_MARKER.test(line);
}

/** What a marker says of its cell; `type` is absent where it names none. */
export function parseMarker(line: string): { type?: ScriptCell['type']; metadata: Metadata } {
  const match = MARKER.exec(line);
  if (match === null) return { metadata: {} };
  const [, depth, text] = match as unknown as [string, string, string];
  const { title: before, metadata } = parseOptions(text.trim());
  let title = before;
  const type = TYPE.exec(title);
  const found: Metadata = {};
  if (type !== null) {
    title = title.replace(type[0], '').trim();
    // a shorter way to say it, which is kept
    if (type[1] === 'md') found.region_name = 'md';
  }
  if (depth !== '') found.cell_depth = depth.length;
  if (title !== '') found.title = title;
  const name = type?.[1] === 'md' ? 'markdown' : (type?.[1] as ScriptCell['type'] | undefined);
  return { ...(name !== undefined && { type: name }), metadata: { ...found, ...metadata } };
}

/** The marker of a cell. @param named whether its type has to be said */
export function formatMarker(type: ScriptCell['type'], given: Metadata, named: boolean): string {
  const { title, cell_depth: depth, region_name: region, ...rest } = given;
  const metadata = { ...rest };
  const words: string[] = [];
  if (isTitle(title)) words.push(title);
  else if (title !== undefined) metadata.title = title;
  const isDepth = typeof depth === 'number' && Number.isInteger(depth) && depth > 0 && depth < 100;
  if (!isDepth && depth !== undefined) metadata.cell_depth = depth;
  const isShort = region === 'md' && type === 'markdown';
  if (!isShort && region !== undefined) metadata.region_name = region;
  if (named) words.push(`[${isShort ? 'md' : type}]`);
  const unreadable = metadata[UNREADABLE];
  const isOnly = typeof unreadable === 'string' && Object.keys(metadata).length === 1;
  const options = isOnly ? unreadable : formatOptions(metadata);
  const line = ['// %%' + (isDepth ? '%'.repeat(depth) : ''), ...words, options].filter(Boolean).join(' ');
  // whatever does not come back as it is goes as JSON
  const back = parseMarker(line);
  const isSame = JSON.stringify(sortedEntries(back.metadata)) === JSON.stringify(sortedEntries(given));
  if (isSame && back.type === (named ? type : undefined)) return line;
  return ['// %%', named ? `[${type}]` : '', JSON.stringify(given)].filter(Boolean).join(' ');
}

function sortedEntries(metadata: Metadata): unknown[] {
  return Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A title that stays one where it stands in front of options. */
function isTitle(title: unknown): title is string {
  return typeof title === 'string' && title.trim() === title && !/[{=[\]\n\r]|^%|(^|\s)\./.test(title);
}

function formatOptions(metadata: Metadata): string {
  const entries = Object.entries(metadata);
  // a key alone means null to jupytext, but only behind other options
  if (entries.some(([key, value]) => !KEY.test(key) || value === null)) return JSON.stringify(metadata);
  return entries.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(' ');
}

/** Splits `Title key=value` or `Title {"key": value}`. */
function parseOptions(text: string): { title: string; metadata: Metadata } {
  const brace = text.indexOf('{');
  const equals = text.indexOf('=');
  if (brace >= 0 && (equals < 0 || brace < equals)) {
    const metadata = parseJson(text.slice(brace));
    return {
      title: text.slice(0, brace).trim(),
      metadata: isObject(metadata) ? metadata : { [UNREADABLE]: text.slice(brace) },
    };
  }
  if (equals < 0) return { title: text, metadata: {} };
  // the word in front of the first "=" is a key
  const key = /\S*\s*$/.exec(text.slice(0, equals))!.index;
  const options = text.slice(key);
  return { title: text.slice(0, key).trim(), metadata: parsePairs(options) ?? { [UNREADABLE]: options } };
}

/** `a=1 b=[1, 2] c="x y"`: each value is the shortest JSON behind which another pair begins, or nothing. */
function parsePairs(text: string): Metadata | undefined {
  const match = /^([a-zA-Z0-9_.-]+)\s*=/.exec(text);
  if (match === null) return text === '' ? {} : undefined;
  const start = match[0].length;
  for (let end = nextBreak(text, start); ; end = nextBreak(text, end + 1)) {
    const value = parseJson(text.slice(start, end));
    const rest = value === undefined ? undefined : parsePairs(text.slice(end).trimStart());
    if (rest !== undefined) return { [match[1]!]: value, ...rest };
    if (end >= text.length) return undefined;
  }
}

function nextBreak(text: string, from: number): number {
  const at = text.slice(from).search(/\s/);
  return at < 0 ? text.length : from + at;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
