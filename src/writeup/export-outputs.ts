/** @file What cells showed, as Markdown and files. */
import { fenced } from './fences.js';
import { textTableOf } from './html-table.js';
import { type CellJson, type OutputJson, sourceText } from './notebook-json.js';

/** Options of {@link exportWriteup}. */
export interface ExportOptions {
  /** The name of the document without `.md`: pictures go to the folder `<name>_files`. */
  name: string;
  /** Draws a Vega-Lite plot that has no picture beside it. @returns SVG */
  draw?: (spec: Record<string, unknown>) => Promise<string>;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const ANSI = /\u001b\[[0-9;?]*[A-Za-z]/g;

/** The text as a terminal shows it in the end: without colours, and of a line that was overwritten only its last state. */
export function plainText(text: string): string {
  return text
    .replace(ANSI, '')
    .split('\n')
    .map((line) => line.replace(/\r+$/, '').split('\r').at(-1)!)
    .join('\n')
    .trimEnd();
}

/** Endings of picture files by their type. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/bmp': 'bmp',
  'image/svg+xml': 'svg',
};

/** A name in a link without its percent signs. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Writes outputs as Markdown and collects their pictures. */
export class OutputExporter {
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
        stream += sourceText(output.text);
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
        return this.#picture(`${name}.${type.slice(6)}`, Buffer.from(sourceText(data[type]), 'base64'));
      }
    }
    if (data['image/svg+xml'] !== undefined)
      return this.#picture(`${name}.svg`, sourceText(data['image/svg+xml']));
    const plot = Object.keys(data).find((type) => type.startsWith('application/vnd.vegalite.'));
    if (plot !== undefined && this.#options.draw !== undefined) {
      return this.#picture(`${name}.svg`, await this.#options.draw(data[plot] as Record<string, unknown>));
    }
    if (data['text/markdown'] !== undefined) return sourceText(data['text/markdown']).trim();
    if (data['text/html'] !== undefined) return this.#html(sourceText(data['text/html']), name);
    const text = plainText(sourceText(data['text/plain']));
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

  /** A Markdown cell's text with its attached pictures as files. */
  attachments(cell: CellJson, position: number): string {
    const source = sourceText(cell.source);
    if (cell.cell_type === 'code' || cell.attachments === undefined) return source;
    const paths = new Map<string, string>();
    for (const [i, [name, bundle]] of Object.entries(cell.attachments).entries()) {
      const type = Object.keys(bundle).find((candidate) => candidate.startsWith('image/'));
      if (type === undefined) continue;
      // the name comes from the file: only its harmless letters become part of a path
      const stem = name
        .replace(/\.\w+$/, '')
        .replace(/[^A-Za-z0-9]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 40);
      const ending = EXTENSIONS[type] ?? 'bin';
      const path = `${this.#options.name}_files/cell-${position}-${i + 1}${stem && `-${stem}`}.${ending}`;
      const content = sourceText(bundle[type]);
      this.files.set(path, type === 'image/svg+xml' ? content : Buffer.from(content, 'base64'));
      paths.set(name, encodeURI(path));
    }
    return source.replace(
      /attachment:([^)\s"'>]+)/g,
      (link, name: string) => paths.get(decoded(name)) ?? link,
    );
  }

  #picture(name: string, content: string | Uint8Array): string {
    const path = `${this.#options.name}_files/${name}`;
    this.files.set(path, content);
    return `![](${encodeURI(path)})`;
  }
}
