import { UserError } from '../../src/common/errors.js';
import { readExactText } from '../../src/common/files.js';
import { NotebookDocument } from './document.js';
import { detectStyle, type JsonStyle, lineIndent, stringify } from './json-style.js';
import { type JsonNode, JsonSyntaxError, memberOf, parseJsonText, parseJsonValue } from './json-text.js';
import { joinLines } from './outputs.js';
import { assertNotebook } from './schema.js';
import { cellId, upgradeFrom3 } from './upgrade.js';

/** A notebook as it was read. */
export interface ReadNotebook {
  document: NotebookDocument;
  /** The format that the file had where it was an older one than 4.5, such as `4.2`. */
  upgradedFrom?: string;
}

/** Reads a notebook, upgraded to nbformat 4.5 where it is older. @throws {UserError} saying what is wrong and where */
export function readNotebook(path: string): ReadNotebook {
  return parseNotebook(readExactText(path, 'a notebook'), path);
}

/** The same from the text of a file. @param source the name of the file, for errors */
export function parseNotebook(text: string, source: string): ReadNotebook {
  let root: JsonNode;
  try {
    root = parseJsonText(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new UserError(`${source}: expected a notebook, but it is not valid JSON: ${error.message}`);
  }
  const value = parseJsonValue(text) as Record<string, unknown>;
  if (root.kind !== 'object' || !Number.isInteger(value.nbformat)) {
    throw new UserError(`${source}: not a notebook: expected an object with "nbformat" and "cells"`);
  }
  const format = `${value.nbformat}.${value.nbformat_minor ?? 0}`;
  const style = detectStyle(text, root);
  if (value.nbformat === 3) {
    const upgraded = upgradeFrom3(value, source);
    assertNotebook(upgraded, source);
    const end = /\s*$/.exec(text)![0];
    return { document: new NotebookDocument(stringify(upgraded, style, '') + end), upgradedFrom: format };
  }
  if (value.nbformat !== 4) {
    throw new UserError(
      `${source}: a notebook of nbformat ${format}; 3.0 to 4.5 can be read: open it in Jupyter and save it`,
    );
  }
  const completed = completeIds(text, root, value, style);
  assertNotebook(completed === text ? value : parseJsonValue(completed), source);
  const older = completed !== text && Number(value.nbformat_minor) < 5;
  return { document: new NotebookDocument(completed), ...(older && { upgradedFrom: format }) };
}

/** nbformat 4.5 differs from 4.0 to 4.4 in that cells have ids: adds those that are missing, and nothing else. */
function completeIds(
  text: string,
  root: JsonNode,
  { cells, nbformat_minor: minor }: Record<string, unknown>,
  style: JsonStyle,
): string {
  const list = memberOf(root, 'cells')?.value;
  if (list?.kind !== 'array' || !Array.isArray(cells)) return text;
  const edits: { start: number; end: number; text: string }[] = [];
  const taken = new Set<string>(cells.map((cell) => cell?.id).filter((id) => typeof id === 'string'));
  list.items.forEach((item, i) => {
    if (item.kind !== 'object' || item.members.length === 0 || memberOf(item, 'id')) return;
    const id = JSON.stringify(cellId(i, String(joinLines(cells[i].source)), taken));
    // in front of the metadata is where the order of the alphabet has it
    const before = memberOf(item, 'metadata') ?? item.members[0]!;
    const isInline = !/\n/.test(text.slice(item.start, item.members[0]!.start));
    const separator = isInline ? style.comma : `,${style.newline}${lineIndent(text, before.start)}`;
    const colon = text.slice(before.nameEnd, before.value.start);
    edits.push({ start: before.start, end: before.start, text: `"id"${colon}${id}${separator}` });
  });
  const format = memberOf(root, 'nbformat_minor')?.value;
  if (format && Number.isInteger(minor) && (minor as number) < 5) {
    edits.push({ start: format.start, end: format.end, text: '5' });
  }
  edits.sort((a, b) => a.start - b.start);
  let result = '';
  let at = 0;
  for (const edit of edits) {
    result += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return result + text.slice(at);
}
