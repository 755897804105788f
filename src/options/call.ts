/** @file Options as a call of the command line that gives them. */
import { shellWord } from '../common/shell-word.js';
import { flaggedLeaves, flagName, flagOf, type Leaf, leavesOf, type OptionTable } from './table.js';

/** The value of a leaf: of `lora.r` that of `r` in `lora`. */
export function leafValue({ path }: Pick<Leaf, 'path'>, values: Readonly<Record<string, unknown>>): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    values,
  );
}

/** The words behind a flag; several lists for one that is repeated. */
function wordsOf({ spec }: Leaf, value: unknown): string[][] {
  if (spec.form === 'pairs') return (value as unknown[][]).map((pair) => pair.map(String));
  if (spec.form === 'weights') {
    return [Object.entries(value as object).map(([name, weight]) => `${name}=${weight}`)];
  }
  if (spec.form === 'range' && Array.isArray(value)) return [[value.join('-')]];
  if (Array.isArray(value)) {
    return [spec.separator === undefined ? value.map(String) : [value.join(spec.separator)]];
  }
  return [[typeof value === 'object' ? JSON.stringify(value) : String(value)]];
}

function flagWords(leaf: Leaf, value: unknown): string[] {
  const flag = `--${flagName(flagOf(leaf))}`;
  if (typeof value === 'boolean') return [value ? flag : `--no-${flag.slice(2)}`];
  return wordsOf(leaf, value).flatMap((words) => (words.length === 0 ? [] : [flag, ...words]));
}

/**
 * The call of a command with these options, as a shell reads it: `npx arclab infer --n_tasks 3`. What is not given or
 * is the default is left out.
 * @param values options by name, as a notebook gives them
 */
export function callOf(
  command: string,
  table: OptionTable,
  values: Readonly<Record<string, unknown>>,
): string {
  const isGiven = (leaf: Leaf) => {
    const value = leafValue(leaf, values);
    return value !== undefined && JSON.stringify(value) !== JSON.stringify(leaf.spec.default);
  };
  const positional = leavesOf(table).filter((leaf) => leaf.spec.argument && isGiven(leaf));
  const words = [
    ...positional.flatMap((leaf) => wordsOf(leaf, leafValue(leaf, values)).flat()),
    ...flaggedLeaves(table)
      .filter(isGiven)
      .flatMap((leaf) => flagWords(leaf, leafValue(leaf, values))),
  ];
  return ['npx arclab', command, ...words.map(shellWord)].join(' ');
}
