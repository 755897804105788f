import { isDeepStrictEqual } from 'node:util';
import { detectStyle, type JsonStyle, lineIndent, stringify, styleWithin } from './json-style.js';
import { type JsonNode, type JsonObject, memberOf, parseJsonText, parseJsonValue } from './json-text.js';
import { joinLines, type Output, readOutput, sorted, splitLines, writeOutput } from './outputs.js';
import { cellId } from './upgrade.js';

/** A cell, read only: what changes it are the methods of its document. */
export interface Cell {
  readonly type: 'code' | 'markdown' | 'raw';
  readonly id: string;
  readonly source: string;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Of code cells. */
  readonly outputs: readonly Output[];
  readonly executionCount: number | null;
}

/** What a run leaves in a code cell. */
export interface CellRun {
  outputs: readonly Output[];
  executionCount: number | null;
  /** Times by name of message; written only where the cell has recorded times already. */
  execution?: Record<string, string>;
}

/** A cell and its text; `lead` is what separates it from the cell before. */
interface CellText {
  lead: string;
  text: string;
  cell: Cell;
  /** As it was before any run: a run that gives the same again gives back the same text. */
  original?: { text: string; cell: Cell };
}

/**
 * A notebook of nbformat 4.5 and the text of its file. An edit replaces the text of what it changes; everything else
 * stays as it was written, byte for byte: `text` without an edit is the text that came in.
 */
export class NotebookDocument {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly #style: JsonStyle;
  readonly #parts: CellText[];
  #head: string;
  #tail: string;

  /** @param text a valid notebook of nbformat 4.5; `readNotebook` makes sure of that */
  constructor(text: string) {
    const root = parseJsonText(text);
    const { metadata, cells } = parseJsonValue(text) as {
      metadata: Record<string, unknown>;
      cells: Record<string, unknown>[];
    };
    this.metadata = metadata;
    this.#style = detectStyle(text, root);
    const list = memberOf(root, 'cells')!.value as Extract<JsonNode, { kind: 'array' }>;
    this.#head = text.slice(0, list.start + 1);
    this.#parts = list.items.map((item, i) => ({
      lead: text.slice(i === 0 ? list.start + 1 : list.items[i - 1]!.end, item.start),
      text: text.slice(item.start, item.end),
      cell: readCell(cells[i]!),
    }));
    this.#tail = text.slice(list.items.at(-1)?.end ?? list.start + 1);
  }

  get cells(): readonly Cell[] {
    return this.#parts.map(({ cell }) => cell);
  }

  /** The file's content as it is to be written. */
  get text(): string {
    return [this.#head, ...this.#parts.flatMap(({ lead, text }) => [lead, text]), this.#tail].join('');
  }

  /** Puts what a run left into a code cell; what is the same as in the file that was read keeps its text. */
  setRun(index: number, { outputs, executionCount, execution }: CellRun): void {
    const part = this.#parts[index]!;
    part.original ??= { text: part.text, cell: part.cell };
    const { cell } = part.original;
    if (cell.type !== 'code') throw new Error(`cell ${index + 1} is not a code cell`);
    let { text } = part.original;
    if (!isDeepStrictEqual(outputs, cell.outputs)) {
      text = this.#replace(text, ['outputs'], outputs.map(writeOutput));
    }
    if (executionCount !== cell.executionCount) {
      text = this.#replace(text, ['execution_count'], executionCount);
    }
    let { metadata } = cell;
    if (execution !== undefined && metadata.execution !== undefined) {
      metadata = { ...metadata, execution };
      text = this.#replace(text, ['metadata', 'execution'], execution);
    }
    part.text = text;
    // a copy: the outputs of a cell that runs on may grow
    part.cell = { ...cell, metadata, outputs: structuredClone(outputs), executionCount };
  }

  /** Inserts a code cell that has not been run before the cell at `index`. */
  insertCode(index: number, source: string, tags: readonly string[]): void {
    const text = this.#newCell(index, source, tags);
    const next = this.#parts[index] ?? this.#parts.at(-1);
    if (next === undefined) {
      this.#parts.push({ lead: this.#lineLead(2), ...text });
      // the bracket that follows gets a line of its own
      this.#tail = this.#lineLead(1) + this.#tail.trimStart();
      return;
    }
    const between = this.#parts[1]?.lead ?? (next.lead === '' ? this.#style.comma : `,${next.lead}`);
    const lead = index === 0 ? next.lead : between;
    if (index === 0) next.lead = between;
    this.#parts.splice(index, 0, { lead, ...text });
  }

  /** Puts a code cell that has not been run in place of the one at `index`. */
  replaceCode(index: number, source: string, tags: readonly string[]): void {
    const { lead } = this.#parts[index]!;
    this.#parts[index] = { lead, ...this.#newCell(index, source, tags) };
  }

  #newCell(index: number, source: string, tags: readonly string[]): { text: string; cell: Cell } {
    const raw = {
      cell_type: 'code',
      execution_count: null,
      id: cellId(index, source, new Set(this.cells.map(({ id }) => id))),
      metadata: { tags: [...tags] },
      outputs: [],
      source: splitLines(source),
    };
    const neighbour = this.#parts[0]?.text;
    const object = neighbour === undefined ? undefined : (parseJsonText(neighbour) as JsonObject);
    const style = object === undefined ? this.#style : styleWithin(neighbour!, object, this.#style);
    // the blanks in front of the closing brace, which are those of the opening one
    const base = object
      ? lineIndent(neighbour!, neighbour!.length - 1)
      : (this.#style.indent ?? '').repeat(2);
    return { text: stringify(raw, style, base), cell: readCell(raw) };
  }

  #lineLead(depth: number): string {
    const { indent, newline } = this.#style;
    return indent === undefined ? '' : newline + indent.repeat(depth);
  }

  /** The text of a cell with another value at a path. */
  #replace(text: string, path: readonly [string, ...string[]], value: unknown): string {
    let object = parseJsonText(text) as JsonObject;
    for (const name of path.slice(0, -1)) object = memberOf(object, name)!.value as JsonObject;
    const member = memberOf(object, path.at(-1)!)!;
    const style = styleWithin(text, object, this.#style);
    const replacement = stringify(sorted(value), style, lineIndent(text, member.start));
    return text.slice(0, member.value.start) + replacement + text.slice(member.value.end);
  }
}

function readCell(raw: Record<string, unknown>): Cell {
  const metadata = raw.metadata as Record<string, unknown>;
  return {
    type: raw.cell_type as Cell['type'],
    id: raw.id as string,
    source: joinLines(raw.source) as string,
    tags: (metadata.tags as string[] | undefined) ?? [],
    metadata,
    outputs: ((raw.outputs as Record<string, unknown>[] | undefined) ?? []).map(readOutput),
    executionCount: (raw.execution_count as number | null | undefined) ?? null,
  };
}
