import { inspect } from 'node:util';
import type { MimeBundle } from '../contract.js';
import { htmlTable, isTable, textTable } from './table.js';

/** Where a value says how it is shown, as Deno defined it: a method that returns a MIME bundle, or a promise of one. */
export const JUPYTER_DISPLAY: unique symbol = Symbol.for('Jupyter.display') as never;

interface Displayable {
  [JUPYTER_DISPLAY](): MimeBundle | Promise<MimeBundle>;
}

/** Whether a value says itself how it is shown. */
function isDisplayable(value: unknown): value is Displayable {
  return typeof property(value, JUPYTER_DISPLAY) === 'function';
}

/** A property of any value; undefined also where a proxy refuses to be asked. */
function property(value: unknown, name: PropertyKey): unknown {
  try {
    return (value as Record<PropertyKey, unknown> | null | undefined)?.[name];
  } catch {
    return undefined;
  }
}

/**
 * A value in all forms that a notebook can show: what it says itself; an image's bytes as that image; a Vega or
 * Vega-Lite specification as a plot; rows of plain objects as a table; and everything else as text.
 */
export async function toMimeBundle(value: unknown): Promise<MimeBundle> {
  return isDisplayable(value) ? checkBundle(await value[JUPYTER_DISPLAY]()) : plainBundle(value);
}

/** The same at once, for `display(value)` whose output must keep its place among what is printed. */
export function toMimeBundleNow(value: unknown): MimeBundle | Promise<MimeBundle> {
  if (!isDisplayable(value)) return plainBundle(value);
  const bundle = value[JUPYTER_DISPLAY]();
  return bundle instanceof Promise ? bundle.then(checkBundle) : checkBundle(bundle);
}

/** A MIME bundle that the person's code has made. Throws a TypeError where it is none, or cannot be sent. */
export function checkBundle(bundle: unknown): MimeBundle {
  if (typeof bundle !== 'object' || bundle === null) {
    throw new TypeError(
      `a MIME bundle must be an object by MIME type, such as { 'text/html': '…' }; this one is ${inspect(bundle)}`,
    );
  }
  for (const [type, content] of Object.entries(bundle)) {
    if (typeof content === 'string') continue;
    try {
      JSON.stringify(content);
    } catch (error) {
      throw new TypeError(`"${type}" of a MIME bundle is neither text nor JSON: ${(error as Error).message}`);
    }
  }
  return bundle as MimeBundle;
}

function plainBundle(value: unknown): MimeBundle {
  if (value instanceof Uint8Array) {
    const type = imageType(value);
    if (type !== undefined)
      return { [type]: base64(value), 'text/plain': `[${type}, ${value.length} bytes]` };
  }
  const plot = vegaType(value);
  if (plot !== undefined) return checkBundle({ [plot]: value, 'text/plain': textOf(value) });
  if (isTable(value)) return { 'text/html': htmlTable(value), 'text/plain': textTable(value) };
  return { 'text/plain': textOf(value) };
}

/** Characters of a value's text that are shown; no browser likes the megabytes of a nested array. */
const MAX_TEXT = 200_000;

/** A value as text: objects with colours, which help to read them, and simple values without. */
export function textOf(value: unknown): string {
  const isSimple = (typeof value !== 'object' && typeof value !== 'function') || value === null;
  const text = inspect(value, { colors: !isSimple, maxStringLength: 100_000 });
  if (text.length <= MAX_TEXT) return text;
  // at the end of a line, so that no colour is cut in two
  const end = text.lastIndexOf('\n', MAX_TEXT);
  const shown = text.slice(0, end > 0 ? end : MAX_TEXT);
  return `${shown}\x1b[0m\n… ${text.length - shown.length} more characters`;
}

/** The MIME type of an image by its first bytes. */
function imageType(bytes: Uint8Array): string | undefined {
  const starts = (...head: number[]) => head.every((byte, i) => bytes[i] === byte);
  if (starts(0x89, 0x50, 0x4e, 0x47)) return 'image/png';
  if (starts(0xff, 0xd8, 0xff)) return 'image/jpeg';
  if (starts(0x47, 0x49, 0x46, 0x38)) return 'image/gif';
  if (starts(0x52, 0x49, 0x46, 0x46) && bytes[8] === 0x57 && bytes[9] === 0x45) return 'image/webp';
  return undefined;
}

/** The MIME type of a plot by its `$schema`, `https://vega.github.io/schema/vega-lite/v5.json`. */
function vegaType(value: unknown): string | undefined {
  const schema = typeof value === 'object' && property(value, '$schema');
  const match = typeof schema === 'string' && /\/schema\/(vega|vega-lite)\/v(\d+)/.exec(schema);
  if (!match) return undefined;
  return `application/vnd.${match[1] === 'vega' ? 'vega' : 'vegalite'}.v${match[2]}+json`;
}

/** Bytes as Jupyter carries them. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
