import { randomUUID } from 'node:crypto';
import type { Emit } from './display.js';
import { base64 } from './images.js';

type Shown = string | Uint8Array;

/** What `import * as tslab from 'tslab'` gives: tslab's own names, so that its notebooks run unchanged. */
export interface Tslab {
  readonly display: TslabDisplay;
  newDisplay(): TslabDisplay;
  /** Asks the person for a line. */
  prompt(text?: string, options?: { password?: boolean }): Promise<string>;
  readonly versions: { tslab: string; typescript: string; node: string };
}

/** One function per kind of content. A display of `newDisplay()` replaces what it has shown before. */
export interface TslabDisplay {
  javascript(source: string): void;
  html(html: string): void;
  markdown(text: string): void;
  latex(text: string): void;
  svg(svg: string): void;
  png(image: Uint8Array): void;
  jpeg(image: Uint8Array): void;
  gif(image: Uint8Array): void;
  webp(image: Uint8Array): void;
  pdf(document: Uint8Array): void;
  text(text: string): void;
  raw(mimeType: string, content: Shown): void;
}

/** tslab's display functions on top of this kernel. */
export function createTslab(emit: Emit, readLine: (prompt: string, password: boolean) => string): Tslab {
  return {
    display: new TslabDisplayImpl(emit, undefined),
    newDisplay: () => new TslabDisplayImpl(emit, randomUUID()),
    prompt: async (text = '', { password = false } = {}) => readLine(text, password),
    versions: { tslab: '1.0.22', typescript: '5.9', node: process.version },
  };
}

class TslabDisplayImpl implements TslabDisplay {
  readonly #emit: Emit;
  readonly #id: string | undefined;
  #shown = false;

  constructor(emit: Emit, id: string | undefined) {
    this.#emit = emit;
    this.#id = id;
  }

  raw(mimeType: string, content: Shown): void {
    const data = { [mimeType]: typeof content === 'string' ? content : base64(content) };
    const displayId = this.#id;
    if (displayId !== undefined && this.#shown) {
      this.#emit({ type: 'update_display_data', data, metadata: {}, displayId });
      return;
    }
    this.#shown = true;
    this.#emit({ type: 'display_data', data, metadata: {}, displayId });
  }

  javascript = (source: string) => this.raw('text/javascript', source);
  html = (html: string) => this.raw('text/html', html);
  markdown = (text: string) => this.raw('text/markdown', text);
  latex = (text: string) => this.raw('text/latex', text);
  svg = (svg: string) => this.raw('image/svg+xml', svg);
  png = (image: Uint8Array) => this.raw('image/png', image);
  jpeg = (image: Uint8Array) => this.raw('image/jpeg', image);
  gif = (image: Uint8Array) => this.raw('image/gif', image);
  webp = (image: Uint8Array) => this.raw('image/webp', image);
  pdf = (document: Uint8Array) => this.raw('application/pdf', document);
  text = (text: string) => this.raw('text/plain', text);
}
