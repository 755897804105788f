import type { MimeBundle } from '../contract.js';
import { formatFrame } from './frames.js';
import { call, hasMethods, property } from './property.js';
import { textOf } from './text.js';

/** What shows itself as HTML or SVG: nodes of a DOM (jsdom, linkedom), and objects with `toHTML()`. */
export function formatMarkup(value: unknown): MimeBundle | undefined {
  const markup = markupOf(value);
  if (markup !== undefined) return markup;
  if (!hasMethods(value, 'toHTML')) return undefined;
  const html = call(value, 'toHTML');
  if (typeof html !== 'string') return undefined;
  // a data frame with HTML of its own is a table as text, too, and not its private fields
  return { 'text/html': html, 'text/plain': formatFrame(value)?.['text/plain'] ?? textOf(value) };
}

const SVG_NAMESPACE = 'http://www.w3.org/2000/svg';

function markupOf(value: unknown): MimeBundle | undefined {
  switch (property(value, 'nodeType')) {
    case 1: {
      const html = property(value, 'outerHTML');
      if (typeof html !== 'string') return undefined;
      const name = String(property(value, 'localName') ?? property(value, 'tagName')).toLowerCase();
      const plain = { 'text/plain': `<${name}> with ${html.length} characters of markup` };
      if (name !== 'svg') return { 'text/html': html, ...plain };
      // an SVG image needs the namespace, which HTML does not
      const isWhole = /^<svg[^>]*\sxmlns=/.test(html);
      const svg = isWhole ? html : html.replace(/^<svg/i, `<svg xmlns="${SVG_NAMESPACE}"`);
      return { 'image/svg+xml': svg, ...plain };
    }
    case 9:
      return markupOf(property(value, 'documentElement'));
    case 11: {
      const nodes = property(value, 'childNodes');
      const parts = [...(nodes as Iterable<unknown>)].map(
        (node) => property(node, 'outerHTML') ?? property(node, 'textContent') ?? '',
      );
      return { 'text/html': parts.join(''), 'text/plain': `fragment of ${parts.length} nodes` };
    }
    default:
      return undefined;
  }
}

/** Plots of Vega and Vega-Lite: specifications, and what has one (`toSpec()`, as in vega-lite-api). */
export function formatVega(value: unknown): MimeBundle | undefined {
  const own = vegaType(value);
  if (own !== undefined) return { [own]: value, 'text/plain': textOf(value) };
  if (!hasMethods(value, 'toSpec')) return undefined;
  const spec = call(value, 'toSpec');
  if (typeof spec !== 'object' || spec === null) return undefined;
  const isLite = ['mark', 'layer', 'concat', 'hconcat', 'vconcat', 'facet', 'repeat'].some(
    (key) => key in spec,
  );
  const type = vegaType(spec) ?? (isLite ? 'application/vnd.vegalite.v5+json' : undefined);
  return type === undefined ? undefined : { [type]: spec, 'text/plain': textOf(spec) };
}

/** The MIME type of a plot by its `$schema`, `https://vega.github.io/schema/vega-lite/v5.json`. */
function vegaType(value: unknown): string | undefined {
  const schema = typeof value === 'object' && property(value, '$schema');
  const match = typeof schema === 'string' && /\/schema\/(vega|vega-lite)\/v(\d+)/.exec(schema);
  if (!match) return undefined;
  return `application/vnd.${match[1] === 'vega' ? 'vega' : 'vegalite'}.v${match[2]}+json`;
}
