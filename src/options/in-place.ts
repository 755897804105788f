/** @file Data that a program gives as a value, in place of the option that names its file. */
import { OptionError, option } from '../common/option-names.js';

/** Options in which values may stand in place of files; which of two is given is checked when the flow is called. */
export type OrValues<O, File extends keyof O, Values extends object> = Omit<O, File> & {
  [F in File]?: O[F] | undefined;
} & { [V in keyof Values]?: Values[V] | undefined };

/**
 * Splits values from the options of a table. The file option of each that is given says "the tasks" where the value
 * is called `tasks`: that is how messages name it.
 * @param names the names of values by the options in whose place they stand
 * @throws {OptionError} when both are given
 */
export function splitValues<O, const N extends Readonly<Record<string, keyof O & string>>>(
  options: O,
  names: N,
): { given: object; values: { readonly [File in keyof N]: O[N[File]] | undefined } } {
  const given: Record<string, unknown> = { ...(options as object) };
  const values: Record<string, unknown> = {};
  for (const [file, name] of Object.entries(names)) {
    const value = given[name];
    delete given[name];
    if (value === undefined) continue;
    if (given[file] !== undefined)
      throw new OptionError(name, { hint: `it stands in place of ${option(file)}; give one of the two` });
    values[file] = value;
    given[file] = `the ${name}`;
  }
  return { given, values: values as never };
}
