/** Arguments of requests, checked: clients of any kind send them. Each throws a DebugError that says what is wrong. */
import { isObject } from '../../src/common/is-object.js';
import { type Arguments, DebugError, type SourceBreakpoint } from './protocol.js';

/** The arguments of a request; none is the same as an empty object. */
export function of(request: Arguments): Arguments {
  return object(request.arguments ?? {}, 'arguments');
}

function object(value: unknown, name: string): Arguments {
  if (isObject(value)) return value as Arguments;
  return wrong(name, 'an object', value);
}

export function text(given: Arguments, name: string): string {
  const value = given[name];
  return typeof value === 'string' ? value : wrong(name, 'a text', value);
}

export function number(given: Arguments, name: string): number {
  return count(given, name) ?? wrong(name, 'an integer', undefined);
}

/** A number that may be left out. */
export function count(given: Arguments, name: string): number | undefined {
  const value = given[name] ?? undefined;
  return value === undefined || Number.isInteger(value)
    ? (value as number | undefined)
    : wrong(name, 'an integer', value);
}

export function texts(given: Arguments, name: string): string[] {
  const value = given[name];
  const isTexts = Array.isArray(value) && value.every((item) => typeof item === 'string');
  return isTexts ? value : wrong(name, 'a list of texts', value);
}

/** `source.path` */
export function path(given: Arguments): string {
  return text(object(given.source, 'source'), 'path');
}

export function breakpoints(given: Arguments): SourceBreakpoint[] {
  const list = given.breakpoints ?? [];
  if (!Array.isArray(list)) return wrong('breakpoints', 'a list', list);
  return list.map((item) => {
    const one = object(item, 'breakpoints');
    const line = number(one, 'line');
    if (line < 1) return wrong('line', 'a number from 1', line);
    const condition = one.condition ? text(one, 'condition') : undefined;
    return { line, column: count(one, 'column'), condition };
  });
}

function wrong(name: string, expected: string, value: unknown): never {
  throw new DebugError(`"${name}" must be ${expected}, but it is ${JSON.stringify(value) ?? 'missing'}`);
}
