import { textTableOf } from './html-table.js';
import { fenced } from './import.js';
import { type CellJson, type NotebookJson, type OutputJson, textOf } from './notebook-json.js';

/** A write-up as Markdown, and the pictures that it shows by their paths beside it. */
export interface ExportResult {
  readonly markdown: string;
  readonly files: ReadonlyMap<string, string | Uint8Array>;
}

/** Options of {@link exportWriteup}. */
export interface ExportOptions {
  /** The name of the document without `.md`: pictures go to the folder `<name>_files`. */
  name: string;
  /** Draws a Vega-Lite plot that has no picture beside it. @returns SVG */
  draw?: (spec: Record<string, unknown>) => Promise<string>;
}

const SETUP = /^\s*import \{ sh \} from ['"]arclab['"];?\s*$/;
const COMMAND = /^((?:\/\/.*\n)*)await sh(?:`([\s\S]*)`|\(("(?:[^"\\]|\\.)*")\));?\s*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const ANSI = /\u001b\[[0-9;?]*[A-Za-z]/g;

/** What a person saw in the end: colours gone, and of a line that was written over only its last state. */
export function plainText(text: string): string {
  return text
    .replace(ANSI, '')
    .split('\n')
    .map((line) => line.replace(/\r+$/, '').split('\r').at(-1)!)
    .join('\n')
    .trimEnd();
}

/** A cell that runs a command, as bash; `undefined` for any other cell. */
export function commandOf(source: string): string | undefined {
  const match = COMMAND.exec(source);
  if (match === null) return undefined;
  const comments = match[1]!.replace(/^\/\//gm, '#');
  return comments + (match[2] ?? (JSON.parse(match[3]!) as string));
}

/** Writes outputs as Markdown and collects their pictures. */
class OutputWriter {
  readonly files = new Map<string, string | Uint8Array>();
  readonly #options: ExportOptions;

  constructor(options: ExportOptions) {
    this.#options = options;
  }

  async write(outputs: readonly OutputJson[], cell: number): Promise<string[]> {
    const parts: string[] = [];
    let stream = '';
    const endStream = () => {
      const text = plainText(stream);
      if (text.trim() !== '') parts.push(fenced(text, 'text'));
      stream = '';
    };
    for (const output of outputs) {
      if (output.output_type === 'stream') {
        stream += textOf(output.text);
        continue;
      }
      endStream();
      if (output.output_type === 'error') {
        parts.push(fenced(plainText(`${output.ename}: ${output.evalue}`), 'text'));
      } else parts.push(await this.#bundle(output.data, `cell-${cell}-${parts.length + 1}`));
    }
    endStream();
    return parts.filter((part) => part !== '');
  }

  async #bundle(data: Record<string, unknown>, name: string): Promise<string> {
    for (const type of ['image/png', 'image/jpeg', 'image/gif', 'image/webp'] as const) {
      if (data[type] !== undefined) {
        return this.#picture(`${name}.${type.slice(6)}`, Buffer.from(textOf(data[type]), 'base64'));
      }
    }
    if (data['image/svg+xml'] !== undefined)
      return this.#picture(`${name}.svg`, textOf(data['image/svg+xml']));
    const plot = Object.keys(data).find((type) => type.startsWith('application/vnd.vegalite.'));
    if (plot !== undefined && this.#options.draw !== undefined) {
      return this.#picture(`${name}.svg`, await this.#options.draw(data[plot] as Record<string, unknown>));
    }
    if (data['text/markdown'] !== undefined) return textOf(data['text/markdown']).trim();
    if (data['text/html'] !== undefined) return this.#html(textOf(data['text/html']), name);
    const text = plainText(textOf(data['text/plain']));
    return text.trim() === '' ? '' : fenced(text, 'text');
  }

  /** Pictures inside HTML become files and its tables Markdown; other HTML stays, as Markdown allows. */
  #html(html: string, name: string): string {
    const pictures = [...html.matchAll(/<svg[\s\S]*?<\/svg>/g)].map(([svg], i) =>
      this.#picture(
        `${name}-${i + 1}.svg`,
        svg.includes('xmlns=') ? svg : svg.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"'),
      ),
    );
    if (pictures.length > 0) return pictures.join('\n');
    // a blank line would end the HTML in the eyes of Markdown
    return textTableOf(html) ?? html.replace(/\n\s*\n/g, '\n').trim();
  }

  #picture(name: string, content: string | Uint8Array): string {
    const path = `${this.#options.name}_files/${name}`;
    this.files.set(path, content);
    return `![](${encodeURI(path)})`;
  }
}

/**
 * Makes Markdown of a notebook: text as it is, cells that run a command as bash, other cells as TypeScript, what
 * they printed as text, tables as tables and pictures as files. The inverse of {@link importWriteup} for what
 * that makes.
 */
export async function exportWriteup(notebook: NotebookJson, options: ExportOptions): Promise<ExportResult> {
  const writer = new OutputWriter(options);
  const parts: string[] = [];
  // commands of one block that showed nothing stay one block
  let open: { block: number | undefined; summary: string | undefined; lines: string[] } | undefined;
  const close = () => {
    if (open !== undefined) {
      const block = fenced(open.lines.join('\n\n'), 'bash');
      parts.push(
        open.summary === undefined
          ? block
          : `<details>\n<summary>${open.summary}</summary>\n\n${block}\n\n</details>`,
      );
    }
    open = undefined;
  };
  for (const [i, cell] of notebook.cells.entries()) {
    const source = textOf(cell.source).replace(/\s+$/, '');
    if (cell.cell_type !== 'code') {
      close();
      if (source !== '') parts.push(source);
      continue;
    }
    const outputs = await writer.write(cell.outputs, i + 1);
    const command = commandOf(source);
    if (command !== undefined) {
      const { block, summary } = cell.metadata.arclab ?? {};
      if (open !== undefined && (block === undefined || open.block !== block)) close();
      open ??= { block, summary, lines: [] };
      open.lines.push(command);
    } else {
      close();
      if (source !== '' && !(SETUP.test(source) && isSetup(cell)))
        parts.push(fenced(source, ['ts', ...(cell.metadata.tags ?? [])].join(' ')));
    }
    if (outputs.length > 0) {
      close();
      parts.push(...outputs);
    }
  }
  close();
  return { markdown: `${parts.join('\n\n')}\n`, files: writer.files };
}

/** The cell that an import adds for its commands is not part of the document. */
function isSetup(cell: CellJson): boolean {
  return cell.cell_type === 'code' && cell.outputs.length === 0;
}
