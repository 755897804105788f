/** From the inspector's descriptions of values to variables of the Debug Adapter Protocol. Nothing here has state. */
import type { Runtime } from 'node:inspector';
import type { Variable } from './protocol.js';

/** Characters of a value that are shown. */
const MAX_VALUE = 2000;

/** A value in a variable's terms. */
export type Described = Pick<Variable, 'value' | 'type' | 'presentationHint'>;

/** How a value is shown in one line, and what it is. */
export function describe(object: Runtime.RemoteObject): Described {
  const text = object.unserializableValue ?? String(object.value);
  switch (object.type) {
    case 'number':
      return { value: text, type: Number.isSafeInteger(object.value) ? 'int' : 'float' };
    case 'string': {
      const quoted = JSON.stringify(cut(object.value as string));
      // JupyterLab takes the quotes off
      return { value: quoted, type: 'str', presentationHint: { attributes: ['rawString'] } };
    }
    case 'boolean':
      return { value: text, type: 'bool' };
    case 'undefined':
      return { value: 'undefined', type: 'undefined' };
    case 'bigint':
      return { value: text || (object.description ?? ''), type: 'bigint' };
    case 'symbol':
      return { value: object.description ?? 'Symbol()', type: 'symbol' };
    case 'function': {
      // types leave blanks behind
      const head = firstLine(object.description ?? 'function').replace(/\s+/g, ' ');
      return { value: head, type: /^class\b/.test(head) ? 'class' : 'function' };
    }
    default:
      return describeObject(object);
  }
}

function describeObject(object: Runtime.RemoteObject): Described {
  const { subtype, description = 'Object', className = 'Object', preview } = object;
  if (subtype === 'null') return { value: 'null', type: 'null' };
  const isSized = /^(array|typedarray|map|set|arraybuffer|dataview)$/.test(subtype ?? '');
  const type = isSized ? description : className;
  if (subtype === 'error' || subtype === 'date' || subtype === 'regexp') {
    return { value: cut(firstLine(description)), type };
  }
  const head = isSized || className !== 'Object' ? `${description} ` : '';
  return { value: preview ? cut(head + previewText(preview)) : description, type };
}

/** `{a: 1, b: 'x', …}`, `[1, 2]`, `{'k' => 1}`. */
function previewText({ subtype, properties, entries, overflow }: Runtime.ObjectPreview): string {
  const isArray = subtype === 'array' || subtype === 'typedarray';
  const shown = subtype === 'typedarray' ? properties.filter(({ name }) => /^\d+$/.test(name)) : properties;
  const parts = entries
    ? entries.map(({ key, value }) => (key ? `${entryText(key)} => ${entryText(value)}` : entryText(value)))
    : shown.map((property) => {
        const text = propertyText(property);
        return isArray && /^\d+$/.test(property.name) ? text : `${property.name}: ${text}`;
      });
  const text = [...parts, ...(overflow ? ['…'] : [])].join(', ');
  return isArray ? `[${text}]` : `{${text}}`;
}

function entryText({ type, subtype, description = '' }: Runtime.ObjectPreview): string {
  return propertyText({ name: '', type, subtype, value: description });
}

function propertyText({ type, subtype, value = '' }: Runtime.PropertyPreview): string {
  if (type === 'string') return `'${value}'`;
  if (type === 'function') return 'ƒ';
  if (type === 'accessor') return '(…)';
  return type === 'object' && subtype === undefined && value === 'Object' ? '{…}' : value;
}

/** The first line of a text. */
export function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}

function cut(text: string): string {
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

/** The length of an array or a typed array; undefined for anything else. */
export function lengthOf({ subtype, description = '' }: Runtime.RemoteObject): number | undefined {
  if (subtype !== 'array' && subtype !== 'typedarray') return undefined;
  const match = /\((\d+)\)$/.exec(description);
  return match ? Number(match[1]) : undefined;
}

/** At most this many elements, or groups of elements, are shown at once. */
const GROUP = 100;

/** The groups that the elements from `start` to before `end` are shown in; none where there are few. */
export function groupsOf(start: number, end: number): [start: number, end: number][] {
  const count = end - start;
  if (count <= GROUP) return [];
  let size = GROUP;
  while (count / size > GROUP) size *= GROUP;
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => [
    start + i * size,
    Math.min(end, start + (i + 1) * size),
  ]);
}

/** The expression for a property of what another expression names. */
export function memberExpression(parent: string | undefined, name: string): string | undefined {
  if (parent === undefined) return undefined;
  if (/^\d+$/.test(name)) return `${parent}[${name}]`;
  return isIdentifier(name) ? `${parent}.${name}` : `${parent}[${JSON.stringify(name)}]`;
}

/** Whether a text can be the name of a variable. */
export function isIdentifier(text: string): boolean {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u.test(text);
}
