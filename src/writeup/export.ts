import { blockDigest } from './block-digest.js';
import { type ExportOptions, OutputExporter } from './export-outputs.js';
import { type CellJson, type NotebookJson, sourceText } from './notebook-json.js';
import { renderBlock } from './render-block.js';

/** A write-up as Markdown, and the pictures that it shows by their paths beside it. */
export interface ExportResult {
  readonly markdown: string;
  readonly files: ReadonlyMap<string, string | Uint8Array>;
}

const SETUP = /^\s*import \{ sh \} from ['"]arclab['"];?\s*$/;

/** The cell that an import adds for its commands is not part of the document. */
function isSetup(cell: CellJson): boolean {
  return cell.cell_type === 'code' && cell.outputs.length === 0 && SETUP.test(sourceText(cell.source));
}

/** Cells that belong to one block of the document, and others by themselves. */
function groupsOf(cells: readonly CellJson[]): CellJson[][] {
  const groups: CellJson[][] = [];
  for (const cell of cells) {
    if (isSetup(cell)) continue;
    const block = cell.metadata.arclab?.block;
    const last = groups.at(-1);
    if (block !== undefined && last?.[0]?.metadata.arclab?.block === block) last.push(cell);
    else groups.push([cell]);
  }
  return groups;
}

/** A block as it was in its document, where its cells are as they were imported. */
function untouched(cells: readonly CellJson[]): string | undefined {
  const { original, digest } = cells[0]?.metadata.arclab ?? {};
  return original !== undefined && digest === blockDigest(cells) ? original : undefined;
}

/**
 * Makes Markdown of a notebook: text as it is, cells that run a command as bash, other cells as TypeScript, what they
 * printed as text, tables as tables and pictures as files. The inverse of {@link importWriteup}: a block that showed
 * nothing and was not edited is given back as it was, and any other in its form.
 */
export async function exportWriteup(notebook: NotebookJson, options: ExportOptions): Promise<ExportResult> {
  const writer = new OutputExporter(options);
  let markdown = '';
  for (const group of groupsOf(notebook.cells)) {
    const shown = new Map<CellJson, string[]>();
    for (const cell of group) {
      const outputs = cell.cell_type === 'code' ? cell.outputs : [];
      const position = notebook.cells.indexOf(cell) + 1;
      if (outputs.length > 0) shown.set(cell, await writer.write(outputs, position));
    }
    const [first] = group as [CellJson];
    const isText = first.cell_type !== 'code' && first.metadata.arclab?.block === undefined;
    const text = isText
      ? writer.attachments(first, notebook.cells.indexOf(first) + 1).replace(/\s+$/, '')
      : ((shown.size === 0 ? untouched(group) : undefined) ?? renderBlock(group, shown));
    if (text === '') continue;
    markdown += (first.metadata.arclab?.gap ?? (markdown === '' ? '' : '\n\n')) + text;
  }
  const { eol = '\n', end = '\n' } = notebook.metadata.arclab ?? {};
  markdown += end;
  return { markdown: eol === '\n' ? markdown : markdown.replaceAll('\n', eol), files: writer.files };
}
