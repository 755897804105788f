import type { JsonNode, JsonObject } from './json-text.js';

/** How a JSON text is laid out, so that what is new looks like what was there. */
export interface JsonStyle {
  /** Of one level; `undefined` where everything is in one line. */
  indent: string | undefined;
  newline: '\n' | '\r\n';
  /** Between a name and its value, such as `": "`. */
  colon: string;
  /** Between values in one line. */
  comma: string;
  /** Whether characters beyond ASCII are written as `\u` escapes. */
  ascii: boolean;
}

/** What Jupyter writes. */
const jupyter: JsonStyle = { indent: ' ', newline: '\n', colon: ': ', comma: ', ', ascii: false };

/** Finds the style of a text from its outermost object; what cannot be seen is as Jupyter writes it. */
export function detectStyle(text: string, root: JsonNode): JsonStyle {
  const style = { ...jupyter, ascii: isAscii(text) };
  if (root.kind !== 'object' || root.members.length === 0) return style;
  const [first, second] = root.members;
  style.colon = text.slice(first!.nameEnd, first!.value.start);
  const lead = text.slice(root.start + 1, first!.start);
  const lineBreak = /(\r?\n)([ \t]*)$/.exec(lead);
  if (lineBreak) return { ...style, newline: lineBreak[1] as '\n' | '\r\n', indent: lineBreak[2] };
  const between = second && text.slice(first!.value.end, second.start);
  return { ...style, indent: undefined, comma: between ?? (/\s/.test(style.colon) ? ', ' : ',') };
}

/** Every character is ASCII, and somewhere one that was not is escaped. */
function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range
  return /\\u(?:0[1-9a-f]|00[89a-f]|[1-9a-f])/i.test(text) && !/[^\x00-\x7f]/.test(text);
}

/** The style inside an object, which may be written in one line while the document is not. */
export function styleWithin(text: string, object: JsonObject, document: JsonStyle): JsonStyle {
  if (object.members.length === 0) return document;
  const { indent, newline, comma, colon } = detectStyle(text, object);
  // the indentation of a nested object is several levels deep: the unit is the document's
  return { ...document, indent: indent && (document.indent ?? indent), newline, comma, colon };
}

/** The blanks that the line of an offset begins with. */
export function lineIndent(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  return /^[ \t]*/.exec(text.slice(start, offset))![0];
}

/** A value as JSON text. @param base blanks in front of the line that the text begins in */
export function stringify(value: unknown, style: JsonStyle, base: string): string {
  // as Python writes what JSON does not have
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value === null || typeof value !== 'object') {
    const text = JSON.stringify(value);
    return style.ascii ? escapeBeyondAscii(text) : text;
  }
  const isArray = Array.isArray(value);
  const [open, close] = isArray ? '[]' : '{}';
  const inner = base + (style.indent ?? '');
  const parts = isArray
    ? value.map((item) => stringify(item ?? null, style, inner))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([name, item]) => stringify(name, style, inner) + style.colon + stringify(item, style, inner));
  if (parts.length === 0) return open! + close!;
  if (style.indent === undefined) return open + parts.join(style.comma) + close;
  const lineBreak = style.newline + inner;
  return open + lineBreak + parts.join(',' + lineBreak) + style.newline + base + close;
}

function escapeBeyondAscii(text: string): string {
  return text.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
