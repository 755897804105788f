/** @file The words of a call of the command line. */
import type { Command } from 'commander';
import { UserError } from '../common/errors.js';
import { flagName } from '../options/table.js';

/** `--max_steps=3` means `--max-steps=3`; only the flag's name changes, never its value. */
export function normalizeFlags(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  return args.map((arg, i) =>
    arg.startsWith('--') && (end < 0 || i < end)
      ? arg.replace(/^--[^=]*/, (name) => name.replaceAll('_', '-'))
      : arg,
  );
}

/** @throws {UserError} for an argument too many, and for values that are empty as those of an unset variable are */
export function checkWords(command: Command, options: Record<string, unknown>): void {
  const { args, registeredArguments } = command;
  const empty = Object.entries(options).find(([, value]) => value === '');
  if (empty || args.includes('')) {
    const flag = empty && command.options.find((option) => option.attributeName() === empty[0]);
    const name = flag ? `--${flagName(flag.attributeName())}` : command.name();
    throw new UserError(`${name}: expected a value, found an empty one`);
  }
  if (registeredArguments.at(-1)?.variadic || args.length <= registeredArguments.length) return;
  const extra = JSON.stringify(args[registeredArguments.length]);
  throw new UserError(
    `${command.name()}: unexpected argument ${extra}; a flag without a <value> takes none, --no-… turns it off`,
  );
}
