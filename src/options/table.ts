/**
 * @file An option is data. A table is the only declaration of the options of a flow: from it come the TypeScript type,
 * the defaults, the checks, the flags of the command line with their help, what a checkpoint may be continued with,
 * what a Kaggle configuration may set, and the reference page.
 */
import { isObject } from '../common/is-object.js';
import { nearestName, OptionError, option } from '../common/option-names.js';
import {
  type ConfigOf,
  type DefaultsOf,
  type GivenOf,
  type Leaf,
  leavesOf,
  type OptionSpec,
  type OptionTable,
} from './spec.js';
import { mismatchOf } from './values.js';

export {
  type ConfigOf,
  type DatasetPair,
  flaggedLeaves,
  flagName,
  flagOf,
  type Leaf,
  leavesOf,
  type OptionSpec,
  type OptionsOf,
  type OptionTable,
} from './spec.js';
export { expectationOf } from './values.js';

/** The options of any flow. */
export interface AnyOptions {
  readonly table: OptionTable;
  given(options: object, onNote?: (text: string) => void): object;
}

/** A table with its check. */
export interface Options<T extends OptionTable> extends AnyOptions {
  readonly table: T;
  readonly defaults: DefaultsOf<T>;
  /**
   * Checks names, types and ranges. Options that are undefined count as not given.
   * @param onNote told of names from earlier versions
   * @returns the given options under their current names
   * @throws {OptionError} for the first that is wrong, by its name
   */
  given(options: object, onNote?: (text: string) => void): GivenOf<T>;
  /** {@link given}, with required options present and defaults filled in. */
  check(options: object, onNote?: (text: string) => void): ConfigOf<T>;
  /**
   * Options that an earlier version has saved: under their current names, and where an option is newer, its default.
   * Unknown names are left as they are.
   */
  upgrade(saved: object): Record<string, unknown>;
}

/** Makes the options of a flow. Tables are composed by spreading them. Calls are marked pure, so that a bundle leaves out what it does not use. */
export function defineOptions<const T extends OptionTable>(table: T): Options<T> {
  const entries = Object.entries<OptionSpec>(table);
  const formerNames = formerNamesOf(table);
  const defaults = defaultsOf(table) as DefaultsOf<T>;
  const given: Options<T>['given'] = (options, onNote) => {
    const { values, unknown } = renamed(options, { table, formerNames }, onNote);
    if (unknown !== undefined) throw unknownOption(unknown, table);
    assertValid(values, table);
    return values as GivenOf<T>;
  };
  return {
    table,
    defaults,
    given,
    check(options, onNote) {
      const values = given(options, onNote);
      const missing = entries.find(([name, spec]) => spec.required && !Object.hasOwn(values, name));
      if (missing) throw new OptionError(missing[0], { hint: `it is missing: ${missing[1].description}` });
      return filled(table, defaults, values) as ConfigOf<T>;
    },
    upgrade: (saved) => filled(table, defaults, renamed(saved, { table, formerNames }).values),
  };
}

function defaultsOf(table: OptionTable): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(table).flatMap(([name, spec]) => {
      const value = spec.parts ? defaultsOf(spec.parts) : spec.default;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Values with the defaults of a table where there is none. */
function filled(table: OptionTable, defaults: object, values: object): Record<string, unknown> {
  const all: Record<string, unknown> = { ...defaults, ...values };
  for (const [name, { parts }] of Object.entries(table)) {
    if (parts && isObject(all[name])) all[name] = { ...defaultsOf(parts), ...all[name] };
  }
  return all;
}

/** Options by the names that they had in earlier versions. */
const formerNamesOf = (table: OptionTable): ReadonlyMap<string, Leaf> =>
  new Map(leavesOf(table).flatMap((leaf) => (leaf.spec.formerly ?? []).map((old) => [old, leaf] as const)));

/** The options that are given, by today's names and in today's spelling, and the first name that no option has. */
function renamed(
  options: object,
  { table, formerNames }: { table: OptionTable; formerNames: ReadonlyMap<string, Leaf> },
  onNote: (text: string) => void = () => {},
): { values: Record<string, unknown>; unknown?: string } {
  const values: Record<string, unknown> = {};
  let unknown: string | undefined;
  const set = ([key, ...rest]: readonly string[], value: unknown, given: string): void => {
    const [part] = rest;
    if (part !== undefined) values[key!] = { ...(values[key!] as object) };
    const object = part === undefined ? values : (values[key!] as Record<string, unknown>);
    const last = part ?? key!;
    if (Object.hasOwn(object, last)) {
      const name = [key, ...rest].join('.');
      throw new OptionError(name, { hint: `it is given twice, once as ${option(given)}` });
    }
    object[last] = value;
  };
  const former: [given: string, value: unknown][] = [];
  for (const [given, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (formerNames.has(given) && !Object.hasOwn(table, given)) {
      former.push([given, value]);
      continue;
    }
    const parts = Object.hasOwn(table, given) ? table[given]!.parts : undefined;
    if (parts && isObject(value)) {
      for (const [part, inner] of Object.entries(value)) {
        if (inner === undefined) continue;
        if (!Object.hasOwn(parts, part)) unknown ??= `${given}.${part}`;
        set([given, part], inner, `${given}.${part}`);
      }
      continue;
    }
    if (!Object.hasOwn(table, given)) unknown ??= given;
    values[given] = value;
  }
  for (const [given, value] of former) {
    const { name, path } = formerNames.get(given)!;
    onNote(`${option(given)} is now called ${option(name)}`);
    set(path, value, given);
  }
  for (const [name, value] of Object.entries(values)) {
    const former = table[name]?.formerValues ?? {};
    if (typeof value !== 'string' || !Object.hasOwn(former, value)) continue;
    values[name] = former[value];
    onNote(`${option(name, value)} is now ${option(name, former[value])}`);
  }
  return unknown === undefined ? { values } : { values, unknown };
}

/** A name that ends as those of files do. */
const IS_OF_FILES = /(path|file)s?$/i;

/** @returns an error that names the option which was probably meant */
function unknownOption(name: string, table: OptionTable): OptionError {
  const names = new Map<string, string>([
    ...[...formerNamesOf(table)].map(([old, leaf]) => [old, leaf.name] as const),
    ...Object.keys(table).map((key) => [key, key] as const),
    ...leavesOf(table).map((leaf) => [leaf.name, leaf.name] as const),
  ]);
  const nearest = nearestName(name, [...names.keys()]);
  // a file may be called by what is in it
  const files = IS_OF_FILES.test(name) ? leavesOf(table).filter(({ spec }) => spec.value === 'file') : [];
  const hint =
    nearest !== undefined
      ? `; did you mean ${option(names.get(nearest)!)}?`
      : files.length > 0
        ? `; files are ${files.map((leaf) => option(leaf.name)).join(', ')}`
        : '';
  return new OptionError(name, { hint: `there is no such option here${hint}` });
}

/** @throws {OptionError} for the first value that is not what its option expects */
function assertValid(
  values: Readonly<Record<string, unknown>>,
  table: OptionTable,
  prefix: readonly string[] = [],
): void {
  for (const [key, value] of Object.entries(values)) {
    const spec = table[key]!;
    const name = [...prefix, key];
    if (spec.parts && isObject(value)) {
      assertValid(value, spec.parts, name);
      continue;
    }
    const mismatch = mismatchOf(value, spec);
    if (mismatch === undefined) continue;
    const { path, expected, found } = mismatch;
    throw new OptionError(name.join('.'), {
      expected: path.length === 0 ? expected : `${expected} at ${path.join('.')}`,
      found,
    });
  }
}

/** The options of a configuration that a table has. */
export function pick<T extends OptionTable, C extends object>(
  config: C,
  table: T,
): Pick<C, keyof T & keyof C> {
  const names = Object.keys(table).filter((name) => Object.hasOwn(config, name));
  return Object.fromEntries(names.map((name) => [name, config[name as keyof C]])) as Pick<
    C,
    keyof T & keyof C
  >;
}

/** A table without some of its options. */
export function without<T extends OptionTable, const K extends readonly (keyof T)[]>(
  table: T,
  ...names: K
): Omit<T, K[number]> {
  return Object.fromEntries(Object.entries(table).filter(([name]) => !names.includes(name))) as Omit<
    T,
    K[number]
  >;
}

/** A table in which some options have another default or another description. */
export function changed<T extends OptionTable, const C extends { [K in keyof T]?: Partial<OptionSpec> }>(
  table: T,
  changes: C,
): { [K in keyof T]: K extends keyof C ? Omit<T[K], keyof C[K]> & C[K] : T[K] } {
  return Object.fromEntries(
    Object.entries(table).map(([name, spec]) => [name, { ...spec, ...changes[name] }]),
  ) as never;
}
