import { splitLines } from '../../kernel/notebook/index.js';
import { type BlockItem, blockItems, type CommandLine, type LeftCommand } from './block-cells.js';
import { blockDigest } from './block-digest.js';
import { type Segment, segmentsOf } from './markdown-blocks.js';
import {
  type CellJson,
  type CellMetadata,
  type NotebookJson,
  sourceText,
  typescriptMetadata,
} from './notebook-json.js';
import { commandOf, renderBlock } from './render-block.js';
import { shellGrammar } from './shell-grammar.js';

/** Options of {@link importWriteup}. */
export interface ImportOptions {
  /** Replaces paths in commands, old to new. */
  paths?: ReadonlyMap<string, string>;
  /** Options by name (`dataset_path`) for calls of ours that take them and do not give them. */
  defaults?: ReadonlyMap<string, string>;
  /** Our command line: a call that it would refuse stays text (default: calls are not checked). */
  commandLine?: CommandLine;
  /** True for a file that is there already and must not be overwritten (default: none is). */
  exists?: (path: string) => boolean;
  /** Commands that delete, overwrite, go to other machines or do not end become cells, too (default: false). */
  runAll?: boolean;
}

/** What an import made of a document. */
export interface ImportResult {
  readonly notebook: NotebookJson;
  /** Commands that became cells. */
  readonly commands: number;
  /** Commands left as text, and why. */
  readonly left: readonly LeftCommand[];
  /** Commands that became cells and will fail, and why; their cells say so and may fail. */
  readonly marked: readonly LeftCommand[];
  /** Pieces of pasted results, kept as text. */
  readonly results: number;
}

/** The TypeScript that runs a command: a template where that reads well, else a quoted string. */
function shellCell(command: string, comments: readonly string[] = []): string {
  const call = /[`]|\$\{/.test(command) ? `sh(${JSON.stringify(command)})` : `sh\`${command}\``;
  return [...comments.map((line) => line.replace(/^#+/, '//')), `await ${call};`].join('\n');
}

/** A piece of the document that becomes cells: text, or a block. */
type DocumentPiece = { type: 'text'; raw: string } | { type: 'block'; raw: string; cells: CellJson[] };

function cell(type: 'markdown' | 'code', source: string, metadata: CellMetadata = {}): CellJson {
  const common = { metadata, source: splitLines(source) };
  return type === 'code'
    ? { cell_type: 'code', execution_count: null, ...common, outputs: [] }
    : { cell_type: 'markdown', ...common };
}

/** The cells of a block; texts that follow each other are one cell. */
function cellsOf(items: readonly BlockItem[], folded: boolean): CellJson[] {
  const cells: CellJson[] = [];
  let texts: string[] = [];
  const endText = () => {
    if (texts.length > 0) cells.push(cell('markdown', texts.join('\n\n')));
    texts = [];
  };
  for (const item of items) {
    if (item.type !== 'command') {
      texts.push(item.markdown);
      continue;
    }
    endText();
    cells.push(
      cell('code', shellCell(item.source, item.comments), {
        ...(folded && { jupyter: { source_hidden: true } }),
        ...(item.fails && { tags: ['raises-exception'] }),
      }),
    );
  }
  endText();
  return cells;
}

/** The note above a command that is text stands once, also where the document has it from an earlier export. */
function withoutRepeatedNote(items: readonly BlockItem[], before: string): BlockItem[] {
  const note = /(?:^|\n)[ \t]*(> Not run with this notebook, because .*:)\s*$/.exec(before)?.[1];
  const [first, ...rest] = items;
  if (note === undefined || first?.type !== 'text' || !first.markdown.startsWith(note)) return [...items];
  return [{ ...first, markdown: first.markdown.slice(note.length).trimStart() }, ...rest];
}

/**
 * Makes a runnable notebook of a Markdown write-up. Headings and text stay as they are; each command of its fenced
 * bash blocks becomes a cell that runs it, with known Python scripts replaced by our commands; fenced TypeScript
 * becomes a cell. Text with its reason stays what deletes, overwrites, goes to other machines or does not end, and
 * what our command line would refuse; pasted results stay text. {@link exportWriteup} gives the document back.
 */
export async function importWriteup(markdown: string, options: ImportOptions = {}): Promise<ImportResult> {
  const {
    paths = new Map(),
    defaults = new Map(),
    exists = () => false,
    runAll = false,
    commandLine,
  } = options;
  const context = {
    parse: await shellGrammar(),
    paths,
    defaults,
    exists,
    runAll,
    ...(commandLine && { commandLine }),
  };
  const left: LeftCommand[] = [];
  const marked: LeftCommand[] = [];
  let commands = 0;
  let results = 0;

  const pieces: DocumentPiece[] = [];
  const addText = (raw: string) => {
    const last = pieces.at(-1);
    if (last?.type === 'text') last.raw += raw;
    else pieces.push({ type: 'text', raw });
  };
  const addShell = async (segment: Extract<Segment, { source: string }>) => {
    const last = pieces.at(-1);
    const before = last?.type === 'text' ? last.raw : '';
    const found = await blockItems(segment.source, context, before);
    left.push(...found.left);
    marked.push(...found.marked);
    results += found.items.filter(({ type }) => type === 'result').length;
    commands += found.items.filter(({ type }) => type === 'command').length;
    const items = withoutRepeatedNote(found.items, before);
    // nothing to run and nothing to say: it stands as it was written
    const isText = found.left.length === 0 && items.every(({ type }) => type !== 'command');
    if (isText) addText(segment.raw);
    else pieces.push({ type: 'block', raw: segment.raw, cells: cellsOf(items, segment.folded) });
  };
  // where lines end in both ways, each keeps its own
  const eol = markdown.includes('\r\n') && !/(?<!\r)\n/.test(markdown) ? '\r\n' : '\n';
  for (const segment of segmentsOf(markdown.replaceAll(eol, '\n'))) {
    if (segment.type === 'text') addText(segment.raw);
    else if (segment.type === 'shell') await addShell(segment);
    else {
      const { raw, source, tags } = segment;
      const code =
        source.trim() === '' ? [] : [cell('code', source, tags.length > 0 ? { tags: [...tags] } : {})];
      if (code.length === 0) addText(raw);
      else pieces.push({ type: 'block', raw, cells: code });
    }
  }
  const { cells, end } = joined(pieces);
  const layout = { ...(eol !== '\n' && { eol }), ...(end !== '\n' && { end }) };
  return {
    notebook: {
      cells,
      metadata: { ...typescriptMetadata(), ...(Object.keys(layout).length > 0 && { arclab: layout }) },
      nbformat: 4,
      nbformat_minor: 5,
    },
    commands,
    left,
    marked,
    results,
  };
}

/** All cells of a document, with what an export needs to give it back: the gaps between pieces, where unusual. */
function joined(pieces: readonly DocumentPiece[]): { cells: CellJson[]; end: string } {
  const cells: CellJson[] = [];
  let gap = '';
  let hasSetup = false;
  const add = (piece: readonly CellJson[], arclab: CellMetadata['arclab'] = {}) => {
    const usual = cells.length === 0 ? '' : '\n\n';
    const [first] = piece as [CellJson];
    const notes = { ...arclab, ...(gap !== usual && { gap }) };
    if (Object.keys(notes).length > 0) first.metadata.arclab = { ...first.metadata.arclab, ...notes };
    gap = '';
    const command = piece.findIndex(({ source }) => commandOf(sourceText(source)) !== undefined);
    if (command < 0 || hasSetup) cells.push(...piece);
    else {
      const setup = cell('code', "import { sh } from 'arclab';", { arclab: { setup: true } });
      cells.push(...piece.slice(0, command), setup, ...piece.slice(command));
      hasSetup = true;
    }
  };
  for (const [i, piece] of pieces.entries()) {
    if (piece.type === 'text') {
      const [, lead, body, trail] = /^((?:[ \t\r]*\n)*)([\s\S]*?)(\s*)$/.exec(piece.raw)!;
      gap += lead!;
      if (body !== '') add([cell('markdown', body!)]);
      gap += trail!;
    } else {
      for (const each of piece.cells) each.metadata.arclab = { block: i };
      const usual = renderBlock(piece.cells, new Map());
      add(piece.cells, usual === piece.raw ? {} : { original: piece.raw, digest: blockDigest(piece.cells) });
    }
  }
  cells.forEach((each, i) => {
    each.id = `cell-${i + 1}`;
  });
  return { cells, end: gap };
}
