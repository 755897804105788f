/** A notebook as a value: its shape, and its size as Kaggle counts it. */
import { compileSchema } from '../common/schema.js';

/** A cell; `source` is one text, which the file holds as a list of lines. */
export interface TemplateCell {
  readonly id: string;
  readonly type: 'markdown' | 'code';
  readonly source: string;
  /** Folded: shown as one line that can be opened. */
  readonly folded?: boolean;
}

/** Hides a cell's source on Kaggle and in JupyterLab. */
const FOLDED = { '_kg_hide-input': true, jupyter: { source_hidden: true } };

const source = { type: ['string', 'array'], items: { type: 'string' } };

/** The part of nbformat 4.5 that Kaggle relies on. */
const checkNotebook = compileSchema<KaggleNotebook>(
  {
    type: 'object',
    required: ['cells', 'metadata', 'nbformat', 'nbformat_minor'],
    properties: {
      nbformat: { const: 4 },
      nbformat_minor: { type: 'integer', minimum: 0 },
      metadata: { type: 'object' },
      cells: {
        type: 'array',
        items: {
          type: 'object',
          required: ['cell_type', 'source'],
          properties: {
            id: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' },
            cell_type: { enum: ['markdown', 'code', 'raw'] },
            source,
          },
          if: { properties: { cell_type: { const: 'code' } } },
          // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
          then: { required: ['outputs'], properties: { outputs: { type: 'array' } } },
        },
      },
    },
  },
  'a notebook (nbformat 4)',
);

/** An .ipynb file. */
export interface KaggleNotebook {
  cells: {
    id?: string;
    cell_type: string;
    metadata?: object;
    source: string | string[];
    outputs?: unknown[];
    execution_count?: number | null;
  }[];
  metadata: Record<string, unknown>;
  nbformat: number;
  nbformat_minor: number;
}

/** Splits a text into lines that keep their ends. */
function lines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Makes an .ipynb file of Python cells. @param kaggle what Kaggle keeps in `metadata.kaggle` */
export function notebookFile(cells: readonly TemplateCell[], kaggle: object): KaggleNotebook {
  return checkNotebook(
    {
      cells: cells.map(({ id, type, source, folded }) => ({
        id,
        cell_type: type,
        metadata: folded ? FOLDED : {},
        source: lines(source.trimEnd()),
        ...(type === 'code' ? { execution_count: null, outputs: [] } : {}),
      })),
      metadata: {
        kaggle,
        kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' },
        language_info: { name: 'python' },
      },
      nbformat: 4,
      nbformat_minor: 5,
    },
    'the notebook',
  );
}

/** Reads the cells of an .ipynb file that was parsed. @throws {UserError} when it is none */
export function notebookCells(value: unknown, path: string): TemplateCell[] {
  return checkNotebook(value, path).cells.map(({ id, cell_type, source }, index) => ({
    id: id ?? `cell-${index + 1}`,
    type: cell_type === 'code' ? 'code' : 'markdown',
    source: typeof source === 'string' ? source : source.join(''),
  }));
}

/** JSON with everything but ASCII escaped: Kaggle's client on Windows reads files in the encoding of the locale. */
export function asciiJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** How Python's `json.dumps` writes a value: spaces behind , and :, everything but ASCII escaped. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${pythonJson(key)}: ${pythonJson(item)}`)
      .join(', ')}}`;
  }
  return asciiJson(value);
}

/** The bytes that Kaggle counts: outputs cleared, every source one text, ASCII. */
export function kaggleBytes(notebook: KaggleNotebook): number {
  const cells = notebook.cells.map((cell) => ({
    ...cell,
    source: typeof cell.source === 'string' ? cell.source : cell.source.join(''),
    ...(cell.outputs ? { outputs: [] } : {}),
  }));
  return pythonJson({ ...notebook, cells }).length;
}
