import { inspect } from 'node:util';
import type { Evaluator } from './evaluator.js';
import { KERNEL_GLOBAL } from './names.js';

/** More names than these are of no use. */
const MAX_NAMES = 5000;

/** Names below the value of an expression, or of the global scope, with what they are. */
export function propertyNames(evaluator: Evaluator, expression: string): { name: string; kind: string }[] {
  const names = new Map<string, string>();
  if (expression.trim() === '') {
    for (const name of evaluator.lexicalNames()) {
      names.set(name, kindOf(evaluator.peek(name)?.value));
    }
    collect(globalThis, names);
    names.delete(KERNEL_GLOBAL);
  } else {
    const found = evaluator.peek(`(${expression}\n)`);
    if (found !== undefined) collect(found.value, names);
  }
  return [...names].slice(0, MAX_NAMES).map(([name, kind]) => ({ name, kind }));
}

/** Adds the names of a value and of its prototypes, without those that every object has; getters are not called. */
function collect(value: unknown, names: Map<string, string>): void {
  if (value === null || value === undefined) return;
  for (let holder: object | null = Object(value); holder !== null; holder = Object.getPrototypeOf(holder)) {
    if (holder === Object.prototype && holder !== value) return;
    for (const [name, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
      // places of an array are no names
      if (names.has(name) || /^\d+$/.test(name)) continue;
      names.set(name, get === undefined ? kindOf(value) : 'property');
    }
    if (names.size > MAX_NAMES) return;
  }
}

function kindOf(value: unknown): string {
  if (typeof value !== 'function')
    return value !== null && typeof value === 'object' ? 'instance' : 'property';
  return /^class\b/.test(Function.prototype.toString.call(value)) ? 'class' : 'function';
}

/** The value of an expression in words: its type and its text. */
export function describeValue(evaluator: Evaluator, expression: string): string | undefined {
  const found = evaluator.peek(`(${expression}\n)`);
  if (found === undefined) return undefined;
  const { value } = found;
  const lines = inspect(value, { depth: 1 }).slice(0, 4000).split('\n').slice(0, 40);
  return `${typeName(value)}\n${lines.join('\n')}`;
}

function typeName(value: unknown): string {
  if (value === null || typeof value !== 'object') return typeof value;
  const { name } = value.constructor ?? {};
  return typeof name === 'string' && name !== '' ? name : 'object';
}
