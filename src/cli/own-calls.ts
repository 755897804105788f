/** @file Asks our own command line about a call without running it. */
import { Command, CommanderError } from 'commander';
import { messageOf, UserError } from '../common/errors.js';
import type { DatasetPair } from '../options/table.js';
import { flagName } from '../options/table.js';
import { isTemplateFile, parseGridEncoder, promptKinds } from '../prompts/index.js';
import type { CommandLine } from '../writeup/block-cells.js';
import type { CommandFile, CommandTable } from './command.js';
import { declareCommand, missingOption, optionsOf, spellFlags } from './flags.js';
import { checkWords, normalizeFlags } from './words.js';

/** Stands for a word that is known only when the call runs. Private use: no flag of ours contains it. */
const UNKNOWN = '\uE000';

/** The command that a call names, and the words after its name. */
async function commandOf(
  words: readonly string[],
  table: CommandTable,
): Promise<{ command: Command; file: CommandFile; rest: readonly string[] } | string> {
  const [name = '', ...rest] = words;
  const entry = Object.hasOwn(table, name) ? table[name]! : undefined;
  if (entry === undefined) return `arclab has no command ${name || 'without a name'}`;
  const { load, subcommands = {} } = entry;
  if (load === undefined || Object.hasOwn(subcommands, rest[0] ?? '')) return commandOf(rest, subcommands);
  const command = new Command(name).exitOverride().configureOutput({ writeOut() {}, writeErr() {} });
  const file = (await load()).default;
  declareCommand(command.allowExcessArguments(), file);
  for (const option of command.options) {
    const parse = option.parseArg as ((value: string, previous: unknown) => unknown) | undefined;
    if (parse === undefined) continue;
    option.argParser((value: string, previous: unknown) =>
      isUnknown(value) ? value : parse.call(option, value, previous),
    );
  }
  return { command, file, rest };
}

/** Whether a word of a call is known only when it runs. */
const isUnknown = (word: unknown): boolean => typeof word === 'string' && word.includes(UNKNOWN);

/** Names in a call that are none of ours: the call is well formed, and says so when it is run. */
function lackOf(name: string, options: Record<string, unknown>): string | undefined {
  const pairs = ['trainDatasets', 'valDataset'].flatMap(
    (key) => (options[key] ?? []) as readonly DatasetPair[],
  );
  const asked = [options.promptVersion ?? []].flat() as string[];
  const unknown = [...pairs.map(([, kind]) => kind), ...asked].find(
    (kind) => !promptKinds.has(kind) && !isTemplateFile(kind) && !isUnknown(kind),
  );
  if (unknown !== undefined) return `arclab has no prompt kind "${unknown}"`;
  if (!name.startsWith('infer')) return undefined;
  const other = asked.find((kind) => promptKinds.get(kind) && !/^output-from-(examples|code)/.test(kind));
  return other && `prompt kind "${other}" asks for no output`;
}

/** The command line of a program with these commands, as the import of a write-up asks it. */
export const commandLineOf = (table: CommandTable): CommandLine => ({
  async refusal(given) {
    const words = given.map((word) => word ?? UNKNOWN);
    const found = await commandOf(normalizeFlags(words), table);
    if (typeof found === 'string') return { reason: found, isWellFormed: false };
    const { command, file, rest } = found;
    const name = `arclab ${words[0]}`;
    // wrong options are reported before missing ones
    const required = command.options.filter(({ mandatory }) => mandatory);
    for (const option of required) option.mandatory = false;
    try {
      command.parse([...rest], { from: 'user' });
      // a variable may hold any number of words
      if (!given.includes(undefined)) checkWords(command, command.opts());
      const typed = command.opts();
      const known = Object.entries(typed).filter(([, value]) => ![value].flat().some(isUnknown));
      const options = optionsOf(file, Object.fromEntries(known));
      if (typeof options.gridEncoder === 'string') parseGridEncoder(options.gridEncoder);
      const missing =
        missingOption(file, typed) ??
        required.map((option) => option.attributeName()).find((key) => typed[key] === undefined);
      const lack =
        missing !== undefined
          ? `${name} needs --${flagName(missing)}; --default ${flagName(missing)}=… of the import gives it`
          : lackOf(words[0]!, options);
      return lack === undefined ? undefined : { reason: lack, isWellFormed: true };
    } catch (error) {
      if (error instanceof CommanderError && error.exitCode === 0) return undefined;
      const isRefusal = error instanceof CommanderError || error instanceof UserError;
      if (!isRefusal) throw error;
      const [line] = spellFlags(messageOf(error), command)
        .replace(/^error: /, '')
        .replaceAll(UNKNOWN, '…')
        .split('\n');
      return { reason: `${name} says: ${line}`, isWellFormed: false };
    }
  },
  async takes(given, option) {
    const found = await commandOf(normalizeFlags(given.map((word) => word ?? UNKNOWN)), table);
    if (typeof found === 'string') return false;
    return found.command.options.some(({ long }) => long === `--${option.replaceAll('_', '-')}`);
  },
});
