import MarkdownIt from 'markdown-it';
import { splitLines } from '../../kernel/notebook/index.js';
import { ourCommand } from './known-scripts.js';
import { type CellJson, type CellMetadata, type NotebookJson, typescriptMetadata } from './notebook-json.js';
import { isDestructive, parseShell } from './shell-text.js';

/** Said above a command that a rerun must not repeat. */
export const NOT_RUN = '> Not run with this notebook, because it deletes or overwrites files:';

const SHELL = /^(bash|sh|shell|zsh|console|shell-session)$/i;
const TYPESCRIPT = /^(ts|typescript)$/i;

/** What a Markdown document is made of: text, and the fenced code blocks that become cells. */
type Block =
  | { type: 'text'; source: string }
  | { type: 'shell'; source: string; summary?: string }
  /** Words after the language are the cell's tags: ```ts parameters. */
  | { type: 'typescript'; source: string; tags: string[] };

/** Options of {@link importWriteup}. */
export interface ImportOptions {
  /** Replaces paths in commands, old to new. */
  paths?: ReadonlyMap<string, string>;
}

/** What an import made of a document. */
export interface ImportResult {
  readonly notebook: NotebookJson;
  /** Commands that became cells. */
  readonly commands: number;
  /** Commands left as text, because they delete or overwrite. */
  readonly destructive: readonly string[];
  /** Blocks of pasted results, kept as text. */
  readonly results: number;
}

const DETAILS_START = /<details>\s*(?:<summary>(.*?)<\/summary>)?\s*$/s;
const DETAILS_END = /^\s*<\/details>[ \t]*\n?/;

/** Splits a document at its fenced blocks of bash and TypeScript; `<details>` around one becomes its summary. */
function blocksOf(markdown: string): Block[] {
  const lines = markdown.replace(/\r\n/g, '\n').split('\n');
  const blocks: Block[] = [];
  let next = 0;
  const text = (end: number) => lines.slice(next, end).join('\n');
  for (const token of new MarkdownIt({ html: true }).parse(lines.join('\n'), {})) {
    const [language = '', ...tags] = token.info.trim().split(/\s+/);
    const type = SHELL.test(language) ? 'shell' : TYPESCRIPT.test(language) ? 'typescript' : undefined;
    if (token.type !== 'fence' || token.map === null || type === undefined) continue;
    const before = text(token.map[0]);
    const details = DETAILS_START.exec(before);
    const after = lines.slice(token.map[1]).join('\n');
    const wrapped = type === 'shell' && details !== null && DETAILS_END.test(after);
    const source = token.content.replace(/\n$/, '');
    blocks.push({ type: 'text', source: wrapped ? before.slice(0, details.index) : before });
    if (type === 'typescript') blocks.push({ type, source, tags });
    else blocks.push({ type, source, ...(wrapped ? { summary: details[1]?.trim() ?? '' } : {}) });
    next = token.map[1];
    if (wrapped) next += DETAILS_END.exec(after)![0].split('\n').length - 1;
  }
  blocks.push({ type: 'text', source: text(lines.length) });
  return blocks;
}

/** The TypeScript that runs a command: a template where that reads well, else a quoted string. */
export function shellCell(command: string, comments: readonly string[] = []): string {
  const call = /[`]|\$\{/.test(command) ? `sh(${JSON.stringify(command)})` : `sh\`${command}\``;
  return [...comments.map((line) => line.replace(/^#+/, '//')), `await ${call};`].join('\n');
}

/** A fenced block; the fence is longer than any inside. */
export function fenced(source: string, language: string): string {
  const longest = Math.max(2, ...[...source.matchAll(/`{3,}/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${source}\n${fence}`;
}

/**
 * Makes a runnable notebook of a Markdown write-up. Headings and text stay as they are; each command of its
 * fenced bash blocks becomes a cell that runs it, with known Python scripts replaced by our commands; fenced
 * TypeScript becomes a cell; pasted results stay text, and so do commands that delete, with a mark.
 */
export function importWriteup(markdown: string, { paths = new Map() }: ImportOptions = {}): ImportResult {
  const cells: CellJson[] = [];
  const destructive: string[] = [];
  let commands = 0;
  let results = 0;
  let texts: string[] = [];

  const text = (source: string) => {
    const trimmed = source.replace(/^(\s*\n)+|\s+$/g, '');
    if (trimmed !== '') texts.push(trimmed);
  };
  const endText = () => {
    if (texts.length > 0) cells.push(cell('markdown', texts.join('\n\n')));
    texts = [];
  };
  const cell = (type: 'markdown' | 'code', source: string, metadata: CellMetadata = {}): CellJson => {
    const common = { id: `cell-${cells.length + 1}`, metadata, source: splitLines(source) };
    return type === 'code'
      ? { cell_type: 'code', execution_count: null, ...common, outputs: [] }
      : { cell_type: 'markdown', ...common };
  };
  const code = (source: string, metadata?: CellMetadata) => {
    endText();
    cells.push(cell('code', source, metadata));
  };

  for (const [i, block] of blocksOf(markdown).entries()) {
    if (block.type === 'text') text(block.source);
    else if (block.type === 'typescript')
      code(block.source, block.tags.length > 0 ? { tags: block.tags } : {});
    else {
      const metadata: CellMetadata =
        block.summary === undefined
          ? { arclab: { block: i } }
          : { arclab: { block: i, summary: block.summary }, jupyter: { source_hidden: true } };
      for (const part of parseShell(block.source)) {
        if (part.type === 'comment') text(fenced(part.source, 'bash'));
        else if (part.type === 'result') {
          results++;
          text(fenced(part.source, 'text'));
        } else if (isDestructive(part.source)) {
          destructive.push(part.source);
          if (!texts.at(-1)?.endsWith(NOT_RUN)) text(NOT_RUN);
          text(fenced([...part.comments, part.source].join('\n'), 'bash'));
        } else {
          if (commands++ === 0) code("import { sh } from 'arclab';");
          code(shellCell(ourCommand(part.source, paths), part.comments), metadata);
        }
      }
    }
  }
  endText();
  return {
    notebook: { cells, metadata: typescriptMetadata(), nbformat: 4, nbformat_minor: 5 },
    commands,
    destructive,
    results,
  };
}
