import { joinLines, readNotebook as readDocument, sorted } from '../../kernel/notebook/index.js';
import { parseJsonValue } from '../../kernel/notebook/json-text.js';

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
  | {
      cell_type: 'markdown' | 'raw';
      id?: string;
      metadata: CellMetadata;
      source: MultilineText;
      /** Pictures in the file, as base64, by name and type. */
      attachments?: Record<string, Record<string, MultilineText>>;
    }
  | {
      cell_type: 'code';
      id?: string;
      metadata: CellMetadata;
      source: MultilineText;
      execution_count: number | null;
      outputs: OutputJson[];
    };

/** What an import of a document notes at a cell, so that an export gives the document back. */
export interface ImportNotes {
  /** Cells of one block have the same number. */
  block?: number;
  /** On the block's first cell, if it was not written as an export writes it: how it was. */
  original?: string;
  /** Of the block's cells as they were imported. */
  digest?: string;
  /** The white space before it in the document, where it was not one blank line. */
  gap?: string;
  /** The cell is no part of the document. */
  setup?: true;
}

/** Metadata of a cell; `arclab` is ours. */
export interface CellMetadata {
  arclab?: ImportNotes;
  jupyter?: { source_hidden?: boolean };
  tags?: string[];
  [key: string]: unknown;
}

/** A notebook file. */
export interface NotebookJson {
  nbformat: 4;
  nbformat_minor: number;
  /** `arclab` is ours: the ends of lines and of the document that a notebook was made of, where unusual. */
  metadata: Record<string, unknown> & { arclab?: { eol?: string; end?: string } };
  cells: CellJson[];
}

/** Multi-line text as one string; nothing is the empty one. */
export function sourceText(text: unknown): string {
  return String(joinLines(text) ?? '');
}

/** Reads a notebook file, upgraded to nbformat 4.5. @throws {UserError} saying what is wrong and where */
export function readNotebookJson(path: string): NotebookJson {
  return parseJsonValue(readDocument(path).document.text) as NotebookJson;
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
