import { joinLines, readNotebook as readDocument, sorted } from '../../kernel/notebook/index.js';

/** The parts of nbformat 4.5 that write-ups are made of. */

/** Text in a notebook file: one string, or its lines with their ends. */
export type MultilineText = string | readonly string[];

/** What a cell showed. */
export type OutputJson =
  | { output_type: 'stream'; name: 'stdout' | 'stderr'; text: MultilineText }
  | {
      output_type: 'display_data' | 'execute_result';
      data: Record<string, unknown>;
      metadata: Record<string, unknown>;
      execution_count?: number | null;
    }
  | { output_type: 'error'; ename: string; evalue: string; traceback: string[] };

/** A cell of a notebook file. */
export type CellJson =
  | { cell_type: 'markdown' | 'raw'; id?: string; metadata: CellMetadata; source: MultilineText }
  | {
      cell_type: 'code';
      id?: string;
      metadata: CellMetadata;
      source: MultilineText;
      execution_count: number | null;
      outputs: OutputJson[];
    };

/** Metadata of a cell; `arclab` is ours. */
export interface CellMetadata {
  /** Commands of one bash block have the same number; `summary` was above them in a `<details>` element. */
  arclab?: { block: number; summary?: string };
  jupyter?: { source_hidden?: boolean };
  tags?: string[];
  [key: string]: unknown;
}

/** A notebook file. */
export interface NotebookJson {
  nbformat: 4;
  nbformat_minor: number;
  metadata: Record<string, unknown>;
  cells: CellJson[];
}

/** Multi-line text as one string; nothing is the empty one. */
export function textOf(text: unknown): string {
  return String(joinLines(text) ?? '');
}

/** Reads a notebook file, upgraded to nbformat 4.5. @throws {UserError} saying what is wrong and where */
export function readNotebook(path: string): NotebookJson {
  return JSON.parse(readDocument(path).document.text.replace(/^\uFEFF/, '')) as NotebookJson;
}

/** A notebook as the text of its file: keys sorted and one blank per level, as Jupyter writes it. */
export function notebookText(notebook: NotebookJson): string {
  return `${JSON.stringify(sorted(notebook), null, 1)}\n`;
}

/** The metadata of a notebook in TypeScript. */
export function typescriptMetadata(): Record<string, unknown> {
  return {
    kernelspec: { display_name: 'TypeScript', language: 'typescript', name: 'tslab' },
    language_info: {
      codemirror_mode: { mode: 'typescript', name: 'javascript', typescript: true },
      file_extension: '.ts',
      mimetype: 'text/typescript',
      name: 'typescript',
    },
  };
}
