/** @file The options of a table as flags of the command line. */

import { type Command, Option } from 'commander';
import { parseDuration } from '../common/duration.js';
import { messageOf } from '../common/errors.js';
import { isObject } from '../common/is-object.js';
import { OptionError, spellOptions } from '../common/option-names.js';
import { flows } from '../options/index.js';
import {
  type DatasetPair,
  expectationOf,
  flaggedLeaves,
  flagName,
  flagOf,
  type Leaf,
  leavesOf,
  type OptionSpec,
  type OptionTable,
} from '../options/table.js';
import { type CommandFile, toggle } from './command.js';

/** `maxSteps` → `max-steps`: how commander knows a flag. */
const kebab = (name: string): string => flagName(name).replaceAll('_', '-');

/** Declares everything that a command takes: the arguments of its table, unless it declares others itself. */
export function declareCommand(command: Command, file: CommandFile): void {
  for (const options of [file.options, file.terminalOptions]) {
    if (options) declareOptions(command, options.table);
  }
  file.configure?.(command);
  const inOrder = argumentsOf(file);
  if (command.registeredArguments.length === 0) {
    for (const { spec } of inOrder) command.argument(argumentTerm(spec), spec.description);
  }
  const names = command.registeredArguments.map((argument) => argument.name());
  const known = inOrder.flatMap(({ name }, i): [string, string][] => (names[i] ? [[name, names[i]]] : []));
  argumentNames.set(command, new Map(known));
}

/** The options of a command that are arguments, in their order. */
const argumentsOf = (file: CommandFile): Leaf[] =>
  leavesOf(file.options?.table ?? {}).filter(({ spec }) => spec.argument);

/** `<file>`, or `[file]` where it may be left out; `<files...>` for several. */
function argumentTerm({ type, required, value = 'value' }: OptionSpec): string {
  const name = type === 'array' ? `${value}...` : value;
  return required ? `<${name}>` : `[${name}]`;
}

/** What was typed, by the names of options: flags, and arguments that are declared as their options are. */
export function typedOptions(command: Command, file: CommandFile): Record<string, unknown> {
  const typed = argumentsOf(file).flatMap(({ name, spec }, i): [string, unknown][] => {
    const { [i]: argument } = command.registeredArguments;
    const isOption = argument?.name() === spec.value && argument?.variadic === (spec.type === 'array');
    return isOption ? [[name, command.processedArgs[i]]] : [];
  });
  return { ...Object.fromEntries(typed), ...command.opts() };
}

/** What the arguments of a command are called in its help, by the options that they are. */
const argumentNames = new WeakMap<Command, ReadonlyMap<string, string>>();

/**
 * The options of a call, read from what was typed and checked by their tables. That all required ones are there is
 * for the flow to say: what a command takes from its arguments is not among these.
 * @param onNote told of names from earlier versions
 * @throws {OptionError} for the first that is wrong
 */
export function optionsOf(
  file: CommandFile,
  typed: Readonly<Record<string, unknown>>,
  onNote?: (text: string) => void,
): Record<string, unknown> {
  const tables = [file.options, file.terminalOptions].filter((options) => options !== undefined);
  const table = Object.assign({}, ...tables.map((options) => options.table)) as OptionTable;
  const values = readFlags(table, typed);
  for (const options of tables) {
    const names = new Set(
      leavesOf(options.table).flatMap(({ path, spec }) => [path[0], ...(spec.formerly ?? [])]),
    );
    const own = Object.entries(values).filter(([name]) => names.has(name));
    for (const [name] of own) delete values[name];
    Object.assign(values, options.given(Object.fromEntries(own), onNote));
  }
  return values;
}

/** The first required option of a command that was not typed. */
export function missingOption(
  file: CommandFile,
  typed: Readonly<Record<string, unknown>>,
): string | undefined {
  const leaves = flaggedLeaves(file.options?.table ?? {});
  const isTyped = (leaf: Leaf) =>
    [flagOf(leaf), ...formerFlags(leaf)].some((name) => typed[name] !== undefined);
  const found = leaves.find((leaf) => leaf.spec.required && !isTyped(leaf));
  return found && flagOf(found);
}

/** Declares the options of a table, and hidden flags for the names that they had in earlier versions. */
function declareOptions(command: Command, table: OptionTable): void {
  for (const leaf of flaggedLeaves(table)) {
    const { spec } = leaf;
    const description = spellFlags(descriptionOf(spec));
    if (spec.type === 'boolean') {
      toggle(command, kebab(flagOf(leaf)), description);
    } else {
      command.addOption(flag(flagOf(leaf), spec, description));
    }
    for (const former of formerFlags(leaf)) command.addOption(flag(former, spec, '').hideHelp());
  }
}

/** Flags that an option had in earlier versions: its former names, but for that of today's flag. */
const formerFlags = (leaf: Leaf): string[] =>
  (leaf.spec.formerly ?? []).filter((former) => former !== flagOf(leaf));

/** A flag with a value; its text is read and checked in {@link readFlags}, together with the others. */
function flag(name: string, spec: OptionSpec, description: string): Option {
  const isList = spec.type === 'array' || spec.form === 'weights';
  return new Option(`--${kebab(name)} <${spec.value ?? 'value'}${isList ? '...' : ''}>`, description);
}

/** The description with its range where there are choices, and the default. */
function descriptionOf(spec: OptionSpec): string {
  const choices = spec.enum ? ` (${spec.enum.join(', ')})` : '';
  if (spec.required) return `${spec.description}${choices} (required)`;
  if (spec.default === undefined) return `${spec.description}${choices}`;
  const shown =
    typeof spec.default === 'boolean'
      ? spec.default
        ? 'on'
        : 'off'
      : Array.isArray(spec.default)
        ? spec.default.join(' ')
        : String(spec.default);
  return `${spec.description}${choices} (default: ${shown})`;
}

/** Reads what was typed into the values of a table's options. @throws {OptionError} for text that is no such value */
function readFlags(table: OptionTable, typed: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const known = new Map<string, Leaf>();
  for (const leaf of flaggedLeaves(table)) {
    for (const name of [flagOf(leaf), ...formerFlags(leaf)]) known.set(name, leaf);
  }
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(typed)) {
    if (value === undefined) continue;
    const leaf = known.get(key);
    if (leaf === undefined) {
      values[key] = value;
      continue;
    }
    const { name, path, spec } = leaf;
    const read = readValue(name, spec, value);
    const [first, part] = path as [string, string?];
    // a former name stays: the check says what it is called now
    if (key !== flagOf(leaf)) values[key] = read;
    else if (part === undefined) values[first] = read;
    else values[first] = { ...(values[first] as object), [part]: read };
  }
  return values;
}

function readValue(name: string, spec: OptionSpec, value: unknown): unknown {
  if (typeof value === 'boolean') return value;
  const texts = [value].flat() as string[];
  if (texts.includes('')) throw new OptionError(name, { expected: 'a value', hint: 'found an empty one' });
  switch (spec.form) {
    case 'pairs':
      return readPairs(name, texts);
    case 'weights':
      return readWeights(name, texts);
    case 'seconds':
      return parseDuration(texts[0]!, `\`${name}\``);
    case 'range':
      return readRange(name, spec, texts[0]!);
  }
  if (spec.type === 'object') return readJson(name, texts[0]!);
  if (spec.type === 'array') {
    const list = spec.separator === undefined ? texts : texts.flatMap((text) => text.split(spec.separator!));
    const items = list.map((text) => readScalar(spec.items!.type, text.trim())).filter((item) => item !== '');
    return spec.single && items.length === 1 ? items[0] : items;
  }
  return readScalar(spec.type, texts[0]!);
}

/** A number where one is wanted and written; other text stays text, which the check of the table refuses. */
function readScalar(type: OptionSpec['type'], text: string): string | number {
  if (type === 'string') return text;
  const value = Number(text);
  return text.trim() === '' || Number.isNaN(value) ? text : value;
}

/** Reads `path kind [weight]` groups: a number after a kind is how often the pair is drawn. */
function readPairs(name: string, values: readonly string[]): DatasetPair[] {
  const pairs: DatasetPair[] = [];
  for (let i = 0; i < values.length; ) {
    const [path, kind, weight] = values.slice(i, i + 3);
    if (kind === undefined) {
      throw new OptionError(name, {
        expected: 'pairs of a data set file and a prompt kind',
        found: values.join(' '),
      });
    }
    const weighted = weight !== undefined && weight.trim() !== '' && Number.isFinite(Number(weight));
    pairs.push(weighted ? [path!, kind, Number(weight)] : [path!, kind]);
    i += weighted ? 3 : 2;
  }
  return pairs;
}

/** Reads `name=number` values. */
function readWeights(name: string, values: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    values.map((value) => {
      const at = value.lastIndexOf('=');
      const weight = Number(value.slice(at + 1));
      if (at < 1 || value.slice(at + 1).trim() === '' || !Number.isFinite(weight)) {
        throw new OptionError(name, { expected: 'name=number', found: value });
      }
      return [value.slice(0, at), weight];
    }),
  );
}

/** Reads `3`, or `2-5`. */
function readRange(name: string, spec: OptionSpec, text: string): number | [number, number] {
  const [, low, high] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (low === undefined || (high !== undefined && Number(high) < Number(low))) {
    throw new OptionError(name, { expected: `${expectationOf(spec)}, such as 3 or 2-5`, found: text });
  }
  return high === undefined ? Number(low) : [Number(low), Number(high)];
}

function readJson(name: string, text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (error) {
    throw new OptionError(name, { expected: 'a JSON object', found: text, hint: messageOf(error) });
  }
  throw new OptionError(name, { expected: 'a JSON object', found: text });
}

const known = new Map(
  Object.values(flows).flatMap(({ table }) =>
    leavesOf(table).flatMap((leaf) => [
      [leaf.name, flagOf(leaf)] as const,
      ...formerFlags(leaf).map((former) => [former, former] as const),
    ]),
  ),
);

/** The argument of a command, or of one below it, that an option is. */
function argumentOf(command: Command, name: string): string | undefined {
  const below = () => command.commands.map((sub) => argumentOf(sub, name)).find(Boolean);
  return argumentNames.get(command)?.get(name) ?? below();
}

/** The options of a command and of those below it. */
export const namesOf = ({ options, commands }: Command): string[] => [
  ...options.map((option) => option.attributeName()),
  ...commands.flatMap(namesOf),
];

/**
 * A message with its options as flags: `` `maxSeqLen: 8192` `` becomes `--max_seq_len 8192`, and
 * an option that is an argument of the command `<file>`, as its help has it.
 * @param command the command that runs, whose own flags are options, too
 */
export function spellFlags(text: string, command?: Command): string {
  const own = new Set(command && namesOf(command));
  return spellOptions(text, (name, value) => {
    const argument = command && argumentOf(command, name);
    if (argument) return value === undefined ? `<${argument}>` : `<${argument}> ${value}`;
    const flag = known.get(name) ?? (own.has(name) ? name : undefined);
    if (flag === undefined) return undefined;
    if (value === 'false') return `--no-${flagName(flag)}`;
    return value === undefined || value === 'true' ? `--${flagName(flag)}` : `--${flagName(flag)} ${value}`;
  });
}
