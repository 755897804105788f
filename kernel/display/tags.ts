import { readFileSync } from 'node:fs';
import type { MimeBundle } from '../contract.js';
import { JUPYTER_DISPLAY } from './formatters.js';
import { imageBundle } from './images.js';
import { property } from './property.js';

/** Markup that is shown as such. */
export interface Markup {
  [JUPYTER_DISPLAY](): MimeBundle;
  toString(): string;
}

/** A tag of templates; also a function of a string. Lists are joined, markup and text are put in as they are. */
export type MarkupTag = (text: TemplateStringsArray | string, ...values: unknown[]) => Markup;

function tagFor(type: string): MarkupTag {
  return (text, ...values) => {
    const content = typeof text === 'string' ? text : String.raw({ raw: text }, ...values.map(insert));
    return {
      [JUPYTER_DISPLAY]: () => ({ [type]: content, 'text/plain': content }),
      toString: () => content,
    };
  };
}

function insert(value: unknown): string {
  if (Array.isArray(value)) return value.map(insert).join('');
  const markup = property(value, 'outerHTML');
  return typeof markup === 'string' ? markup : String(value);
}

/** The tags that every cell finds as globals. */
export const tags = {
  html: tagFor('text/html'),
  md: tagFor('text/markdown'),
  svg: tagFor('image/svg+xml'),
};

/** An image by its bytes or its file. @throws {TypeError} where it is none */
export function image(source: string | Uint8Array): Displayable {
  const bytes = typeof source === 'string' ? readFileSync(source) : source;
  const bundle = imageBundle(bytes);
  if (bundle === undefined) {
    const what = typeof source === 'string' ? source : `these ${bytes.length} bytes`;
    throw new TypeError(`${what}: expected an image (PNG, JPEG, GIF or WebP)`);
  }
  return { [JUPYTER_DISPLAY]: () => bundle };
}

interface Displayable {
  [JUPYTER_DISPLAY](): MimeBundle;
}
