#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { messageOf, UserError } from '../common/errors.js';
import { colorsFor } from './colors.js';
import { helpLayout } from './command.js';
import { type CommandTable, commands } from './commands.js';

/** `--max_steps=3` means `--max-steps=3`; only the flag's name changes, never its value. */
export function normalizeFlags(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  return args.map((arg, i) =>
    arg.startsWith('--') && (end < 0 || i < end)
      ? arg.replace(/^--[^=]*/, (name) => name.replaceAll('_', '-'))
      : arg,
  );
}

/** What a disk or a folder refuses is no fault of this program, wherever it shows: it needs no stack. */
const machineFailures = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EACCES', 'EPERM', 'EMFILE', 'EIO']);

/** What a file has in it may be quoted in a message, but must not move the terminal's cursor. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => JSON.stringify(character).slice(1, -1));
}

/** Adds commands to a program; only the one that the words ask for loads its code. */
async function addCommands(program: Command, table: CommandTable, words: readonly string[]): Promise<void> {
  for (const [name, entry] of Object.entries(table)) {
    const command = program.command(name).description(entry.summary);
    if ('subcommands' in entry) {
      await addCommands(command, entry.subcommands, name === words[0] ? words.slice(1) : []);
      continue;
    }
    if (name !== words[0]) continue;
    const file = (await entry.load()).default;
    command.allowExcessArguments();
    file.configure(command);
    command.action(async (...parameters) => {
      checkWords(parameters.at(-1), parameters.at(-2));
      // commander passes the positional arguments one by one, then the options, then the command
      const positional = parameters
        .slice(0, -2)
        .flat()
        .filter((value) => value !== undefined);
      await file.run(positional, parameters.at(-2));
    });
  }
}

/** @throws {UserError} for an argument too many, and for values that are empty as those of an unset variable are */
function checkWords(command: Command, options: Record<string, unknown>): void {
  const { args, registeredArguments } = command;
  const empty = Object.entries(options).find(([, value]) => value === '');
  if (empty || args.includes('')) {
    const flag = empty && command.options.find((option) => option.attributeName() === empty[0]);
    throw new UserError(`${flag?.long ?? command.name()}: expected a value, found an empty one`);
  }
  if (registeredArguments.at(-1)?.variadic || args.length <= registeredArguments.length) return;
  const extra = JSON.stringify(args[registeredArguments.length]);
  throw new UserError(
    `${command.name()}: unexpected argument ${extra}; a flag without a <value> takes none, --no-… turns it off`,
  );
}

/** Builds the program for a call with these words that are no flags. */
async function buildProgram(words: readonly string[]): Promise<Command> {
  const program = new Command('arclab')
    .description('A TypeScript laboratory for the Abstraction and Reasoning Challenge.')
    .version(typeof __ARCLAB_VERSION__ === 'string' ? __ARCLAB_VERSION__ : 'development')
    .exitOverride()
    .configureHelp(helpLayout)
    .configureOutput({
      // commander puts its suggestions on lines of their own
      outputError: (text, write) =>
        write(`${text.trim().replace(/\s*\n\s*/g, ' ')} (--help shows the options)\n`),
    });
  program.addHelpText('after', '\nFlags may be written with - or _: --max-steps is --max_steps.');
  await addCommands(program, commands, words);
  return program;
}

/** Runs the command line. @returns the exit code: 0 done, 1 the answer is no, 2 a mistake in the call. */
export async function main(argv: readonly string[]): Promise<number> {
  let args = normalizeFlags(argv);
  try {
    const words = args.filter((arg) => !arg.startsWith('-') && arg !== 'help');
    if (words[0] !== undefined && !Object.hasOwn(commands, words[0])) {
      // a misspelt command has no help, but a suggestion
      args = args.filter((arg) => !/^(-h|--help|help)$/.test(arg));
    }
    const program = await buildProgram(words);
    if (args.length === 0) program.help();
    await program.parseAsync(args, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof UserError || machineFailures.has((error as NodeJS.ErrnoException)?.code ?? '')) {
      process.stderr.write(`${colorsFor(process.stderr).red('error:')} ${printable(messageOf(error))}\n`);
      return 2;
    }
    process.stderr.write(`${error instanceof Error && error.stack ? error.stack : messageOf(error)}\n`);
    return 1;
  }
}

if (process.env.VITEST === undefined || process.argv[1]?.endsWith('arclab.cjs')) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
