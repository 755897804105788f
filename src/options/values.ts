/** @file Which values an option may have: in words, and as a check. */
import { isObject } from '../common/is-object.js';
import type { OptionSpec, ValueSpec } from './spec.js';

/** A range in words: ` of at least 1`, ` from 0 to 1`, ` above 0 and at most 1`. */
function rangeText({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: ValueSpec): string {
  const low = minimum ?? exclusiveMinimum;
  const high = maximum ?? exclusiveMaximum;
  if (low !== undefined && high !== undefined) {
    if (minimum === undefined && maximum === undefined) return ` between ${low} and ${high}`;
    if (minimum === undefined) return ` above ${low} and at most ${high}`;
    return ` from ${low} to ${maximum === undefined ? 'below ' : ''}${high}`;
  }
  if (minimum !== undefined) return ` of at least ${minimum}`;
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}`;
  return high === undefined ? '' : ` of at most ${high}`;
}

/** What an option expects, in words. */
export function expectationOf(spec: ValueSpec): string {
  const { type, form, items, single, minItems, maxItems } = spec;
  if (spec.enum) return `one of ${spec.enum.join(', ')}`;
  const off = spec.off === undefined ? '' : `, or ${spec.off}`;
  switch (form) {
    case 'pairs':
      return 'pairs of a data set file and a prompt kind, each with a weight above 0 where it is not 1';
    case 'weights':
      return items ? `values by name, each ${expectationOf(items)}` : 'numbers of at least 0 by name';
    case 'seconds':
      return 'a positive number of seconds';
    case 'range':
      return `an integer${rangeText(spec)}, or the least and the most of two`;
  }
  switch (type) {
    case 'boolean':
      return 'true or false';
    case 'string':
      return 'a text that is not empty';
    case 'integer':
      return `an integer${rangeText(spec)}${off}`;
    case 'number':
      return `a number${rangeText(spec)}${off}`;
    case 'array': {
      const count = minItems === maxItems ? minItems : `at least ${minItems}`;
      const some = minItems === undefined ? 'a list' : `a list of ${count}`;
      const of = items === undefined ? '' : `, each ${expectationOf(items)}`;
      return `${single ? `${expectationOf(items!)}, or ` : ''}${some}${of}`;
    }
    case 'object':
      return `an object with ${Object.keys(spec.properties ?? (spec as OptionSpec).parts ?? {}).join(', ')}`;
  }
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function isInRange(value: unknown, spec: ValueSpec): boolean {
  const { type, minimum, exclusiveMinimum, maximum, exclusiveMaximum } = spec;
  return (
    isNumber(value) &&
    (type !== 'integer' || Number.isSafeInteger(value)) &&
    (minimum === undefined || value >= minimum) &&
    (exclusiveMinimum === undefined || value > exclusiveMinimum) &&
    (maximum === undefined || value <= maximum) &&
    (exclusiveMaximum === undefined || value < exclusiveMaximum)
  );
}

const isPair = (value: unknown): boolean =>
  Array.isArray(value) &&
  (value.length === 2 || (value.length === 3 && isNumber(value[2]) && value[2] > 0)) &&
  value.slice(0, 2).every(isText);

/** Where a value is not what its option expects. */
interface Mismatch {
  /** Names and indices from the option's value inwards. */
  readonly path: readonly (string | number)[];
  readonly expected: string;
  readonly found: unknown;
}

/** The first part of a value that is not what its option expects; undefined when all is. */
export function mismatchOf(
  value: unknown,
  spec: ValueSpec,
  path: readonly (string | number)[] = [],
): Mismatch | undefined {
  const wrong = { path, expected: expectationOf(spec), found: value };
  const unless = (isRight: boolean) => (isRight ? undefined : wrong);
  const each = (list: readonly unknown[], isRight: (item: unknown) => boolean): Mismatch | undefined => {
    const at = list.findIndex((item) => !isRight(item));
    return at < 0 ? undefined : { ...wrong, found: list[at] };
  };
  const { form, type, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = spec;
  if (spec.enum) return unless(spec.enum.includes(value as string));
  switch (form) {
    case 'seconds':
      return unless(isNumber(value) && value > 0);
    case 'range':
      return unless(
        isInRange(value, spec) ||
          (Array.isArray(value) &&
            value.length === 2 &&
            value.every((bound) => isInRange(bound, spec)) &&
            value[0] <= value[1]),
      );
    case 'pairs':
      return Array.isArray(value) && value.length >= minItems ? each(value, isPair) : wrong;
    case 'weights':
      return isObject(value)
        ? each(Object.values(value), (item) =>
            spec.items ? !mismatchOf(item, spec.items) : isNumber(item) && item >= 0,
          )
        : wrong;
  }
  switch (type) {
    case 'boolean':
      return unless(typeof value === 'boolean');
    case 'string':
      return unless(isText(value));
    case 'integer':
    case 'number':
      return unless(isInRange(value, spec) || (spec.off !== undefined && value === spec.off));
    case 'array': {
      if (!Array.isArray(value)) return unless(spec.single === true && !mismatchOf(value, spec.items!));
      return value.length < minItems || value.length > maxItems
        ? wrong
        : each(value, (item) => !mismatchOf(item, spec.items!));
    }
    case 'object': {
      if (!isObject(value)) return wrong;
      const properties = spec.properties ?? {};
      for (const [key, item] of Object.entries(value)) {
        if (!Object.hasOwn(properties, key)) return { ...wrong, found: { [key]: item } };
        const inner = mismatchOf(item, properties[key]!, [...path, key]);
        if (inner) return inner;
      }
      return undefined;
    }
  }
}
