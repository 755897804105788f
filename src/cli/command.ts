import { type Command, Help, InvalidArgumentError, Option } from 'commander';
import type { AnyOptions } from '../options/table.js';
import type { TrainingRanks } from '../training/team.js';

/** A command with a file of its own, or a group of several, such as `arclab writeup import`, or both: `arclab sweep`. */
export type CommandEntry = { readonly summary: string } & (
  | { readonly load: () => Promise<{ default: CommandFile }>; readonly subcommands?: CommandTable }
  | { readonly subcommands: CommandTable; readonly load?: undefined }
);

/** Commands by name. */
export interface CommandTable {
  readonly [name: string]: CommandEntry;
}

/** What a command is given beside its own arguments and options. */
export interface CommandContext {
  /** Every command of the program. */
  readonly commands?: CommandTable;
  /** The processes that were started together; absent for one that is alone. */
  readonly ranks?: TrainingRanks | undefined;
}

/** One command of the program, in a file of its own under `commands/`. */
export interface CommandFile {
  /** The options of its flow, from which its flags are made. */
  readonly options?: AnyOptions;
  /** Flags beyond those, for what only a terminal knows: not part of the flow. */
  readonly terminalOptions?: AnyOptions;
  /** Declares arguments and flags that come from no table, on a command that has its name and summary. */
  configure?(command: Command): void;
  /**
   * Runs with the positional arguments and the options (camelCase, as commander makes them).
   */
  // biome-ignore lint/suspicious/noExplicitAny: commander types no options; each command names its own
  run(args: string[], options: any, context?: CommandContext): Promise<void>;
}

/** Parses an integer of at least `minimum` from a flag. */
export const integer = (minimum: number): ((text: string) => number) =>
  numberFrom(minimum, Number.isSafeInteger, 'an integer');

/** Parses a finite number of at least `minimum` from a flag. */
export const number = (minimum: number): ((text: string) => number) =>
  numberFrom(minimum, Number.isFinite, 'a number');

const numberFrom =
  (minimum: number, isOne: (value: number) => boolean, what: string) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && isOne(value) && value >= minimum) return value;
    throw new InvalidArgumentError(`Expected ${what} of at least ${minimum}.`);
  };

/** `--name`, which help shows together with its `--no-name`. */
class Toggle extends Option {}

/** Declares `--name` and `--no-name`; an option that is not given is undefined. */
export function toggle(command: Command, name: string, description: string): void {
  command.addOption(new Toggle(`--${name}`, description)).addOption(new Option(`--no-${name}`).hideHelp());
}

/** Characters that terms may take before their description begins in a line of its own. */
const TERM_WIDTH = 30;

/** How help is laid out. */
export const helpLayout: Partial<Help> = {
  // as messages and documents write them
  optionTerm: (option) =>
    (option instanceof Toggle ? `--[no-]${option.name()}` : option.flags).replace(
      /(?<=--(?:\[no-\])?)[a-z][a-z-]*/,
      (name) => name.replaceAll('-', '_'),
    ),
  padWidth: (command, helper) => Math.min(TERM_WIDTH, Help.prototype.padWidth.call(helper, command, helper)),
  formatItem(term, width, description, helper) {
    const item = (shown: string) => Help.prototype.formatItem.call(helper, shown, width, description, helper);
    return term.length <= width ? item(term) : `  ${term}\n${item('')}`;
  },
};
