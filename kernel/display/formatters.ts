/** How values become what a notebook can show. */
import { inspect } from 'node:util';
import type { MimeBundle } from '../contract.js';
import { formatFrame } from './frames.js';
import { formatCanvas, formatImage } from './images.js';
import { formatMarkup, formatVega } from './markup.js';
import { formatNumbers } from './numbers.js';
import { property } from './property.js';
import { textOf } from './text.js';

/** Where a value says how it is shown, as Deno defined it: a method that returns a MIME bundle, or a promise of one. */
export const JUPYTER_DISPLAY: unique symbol = Symbol.for('Jupyter.display') as never;

/** Shows values of some kind, and returns undefined for all others. */
export type Formatter = (value: unknown) => MimeBundle | Promise<MimeBundle> | undefined;

/** What the kernel knows by itself, in the order in which it is asked. */
const builtIn: readonly Formatter[] = [
  formatImage,
  formatMarkup,
  formatCanvas,
  formatVega,
  formatFrame,
  formatNumbers,
];

/** What libraries and cells have added; the newest is asked first. */
const registered: Formatter[] = [];

/** Adds a formatter, which goes before all others. @returns what removes it */
export function registerFormatter(formatter: Formatter): () => void {
  if (typeof formatter !== 'function') {
    throw new TypeError(`display.register expects a function of a value; this is ${inspect(formatter)}`);
  }
  registered.unshift(formatter);
  return () => {
    const at = registered.indexOf(formatter);
    if (at !== -1) registered.splice(at, 1);
  };
}

/**
 * A value in all forms that a notebook can show: what it says itself, what a registered formatter makes of it, what
 * the kernel knows by its shape, and else text. A promise only where the value is asynchronous.
 */
export function format(value: unknown): MimeBundle | Promise<MimeBundle> {
  const own = property(value, JUPYTER_DISPLAY);
  if (typeof own === 'function') return check(own.call(value) as MimeBundle | Promise<MimeBundle>);
  for (const formatter of registered) {
    const bundle = formatter(value);
    if (bundle !== undefined) return check(bundle);
  }
  // text says enough about all others
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return plain(value);
  for (const formatter of builtIn) {
    const bundle = attempt(formatter, value);
    if (bundle !== undefined) return check(bundle);
  }
  return plain(value);
}

function plain(value: unknown): MimeBundle {
  return { 'text/plain': textOf(value) };
}

/** Values that only resemble one of the kinds may throw when they are read: then they are shown as text. */
function attempt(formatter: Formatter, value: unknown): MimeBundle | Promise<MimeBundle> | undefined {
  try {
    const bundle = formatter(value);
    return bundle instanceof Promise ? bundle.catch(() => plain(value)) : bundle;
  } catch {
    return undefined;
  }
}

function check(bundle: MimeBundle | Promise<MimeBundle>): MimeBundle | Promise<MimeBundle> {
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
