import { tslabKinds } from '../display/tslab-kinds.js';
import { widgetDeclarations } from './ambient-widgets.js';

const tslabFunctions = Object.entries(tslabKinds).map(
  ([kind, [, content]]) => `    ${kind}(${content}): void;`,
);

/** What every cell finds without an import, as TypeScript reads it: the functions of display/ and the module `tslab`. */
export const ambientDeclarations = `
interface DisplayOptions {
  /** The value is a MIME bundle already. */
  raw?: boolean;
  /** The id under which it can be shown anew. */
  id?: string;
  /** MIME metadata, such as an image's width. */
  metadata?: Record<string, unknown>;
}
interface DisplayHandle {
  readonly id: string;
  /** Shows another value where this one stands. */
  update(value: unknown): void;
}
interface ProgressOptions {
  /** What is done, in front of the bar. */
  label?: string;
  /** How many steps there are; taken from an array or a set where it is missing. */
  total?: number;
}
interface ProgressBar {
  /** Moves by a number of steps, and shows a note behind the bar. */
  advance(steps?: number, note?: string): void;
  /** Moves to a step. */
  set(step: number, note?: string): void;
}
type MimeBundle = Record<string, unknown>;
/** Shows a value: a picture, a table, a plot, or whatever its MIME bundle says. */
declare function display(value: unknown, options?: DisplayOptions): DisplayHandle;
declare namespace display {
  /** Adds a formatter, which gives the MIME bundle of values that it knows and undefined for all others. */
  function register(formatter: (value: any) => MimeBundle | Promise<MimeBundle> | undefined): () => void;
}
interface Markup { toString(): string }
/** HTML that is shown as such. */
declare function html(text: TemplateStringsArray | string, ...values: unknown[]): Markup;
/** Markdown that is shown as such. */
declare function md(text: TemplateStringsArray | string, ...values: unknown[]): Markup;
/** An SVG image. */
declare function svg(text: TemplateStringsArray | string, ...values: unknown[]): Markup;
/** The last result. */
declare var _: any;
declare namespace Deno {
  namespace jupyter {
    const $display: symbol;
    function display(value: unknown, options?: { raw?: boolean; update?: boolean; display_id?: string }): DisplayHandle;
    function html(text: TemplateStringsArray | string, ...values: unknown[]): Markup;
    function md(text: TemplateStringsArray | string, ...values: unknown[]): Markup;
    function svg(text: TemplateStringsArray | string, ...values: unknown[]): Markup;
    function image(source: string | Uint8Array): object;
  }
}
/** Removes what the cell has shown; with \`wait\` when the next output comes. */
declare function clearOutput(wait?: boolean): void;
/** Goes through something while a bar shows how far: \`for (const task of progress(tasks)) …\`. */
declare function progress<T>(items: Iterable<T>, options?: ProgressOptions): Iterable<T>;
declare function progress<T>(items: AsyncIterable<T>, options?: ProgressOptions): AsyncIterable<T>;
/** A bar of that many steps. */
declare function progress(total: number, options?: ProgressOptions): ProgressBar;
/** Asks the person for a line. */
declare function prompt(text?: string, options?: { password?: boolean }): string;
${widgetDeclarations}
declare module 'tslab' {
  interface Display {
${tslabFunctions.join('\n')}
    raw(mimeType: string, content: string | Uint8Array): void;
  }
  const display: Display;
  function newDisplay(): Display;
  function prompt(text?: string, options?: { password?: boolean }): Promise<string>;
  const versions: { tslab: string; typescript: string; node: string };
}
`;
