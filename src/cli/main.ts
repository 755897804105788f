#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { messageOf, UserError } from '../common/errors.js';
import { nearestName } from '../common/option-names.js';
import { arclabVersion } from '../common/version.js';
import { colorsFor } from '../display/terminal-colors.js';
import { flagName } from '../options/table.js';
import { outliveReader } from './broken-pipe.js';
import { type CommandTable, helpLayout } from './command.js';
import { commands } from './commands.js';
import { declareCommand, namesOf, optionsOf, spellFlags, typedOptions } from './flags.js';
import type { Job } from './job.js';
import { AllAlikeError, sharedPlace } from './shared-commands.js';
import { checkWords, normalizeFlags } from './words.js';

export { normalizeFlags } from './words.js';

/** An error of the file system is no bug of this program: it is printed without a stack. */
const machineFailures = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EACCES', 'EPERM', 'EMFILE', 'EIO']);

/** Messages may quote a file's content, whose control characters must not reach the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => JSON.stringify(character).slice(1, -1));
}

/** Flags as help and documents write them. */
const underscored = (text: string): string =>
  text.replace(/--[a-z][a-z-]*/g, (flag) => `--${flag.slice(2).replaceAll('-', '_')}`);

/** A mistake in a call as one line, with the flag that was probably meant by one that there is not. */
function usage(text: string, program?: Command): string {
  const line = text.trim().replace(/\s*\n\s*/g, ' ');
  const [quoted, name] = /unknown option '--([\w-]+)'$/.exec(line) ?? [];
  const meant = name && program && nearestName(name, namesOf(program));
  const told = meant ? line.replace(quoted!, `${quoted} (Did you mean --${flagName(meant)}?)`) : line;
  return `${underscored(told)} (--help shows the options)`;
}

/** Adds commands to a program; only the one that is called loads its code. */
async function addCommands(
  program: Command,
  table: CommandTable,
  words: readonly string[],
  job: Job | undefined,
): Promise<void> {
  for (const [name, entry] of Object.entries(table)) {
    const command = program.command(name).description(entry.summary);
    if (entry.subcommands !== undefined) {
      await addCommands(command, entry.subcommands, name === words[0] ? words.slice(1) : [], job);
    }
    // the flags of a command with subcommands are not those of the subcommands
    const isSubcommand = Object.hasOwn(entry.subcommands ?? {}, words[1] ?? '');
    if (name !== words[0] || entry.load === undefined || isSubcommand) continue;
    const file = (await entry.load()).default;
    command.allowExcessArguments();
    declareCommand(command, file);
    command.action(async (...parameters) => {
      checkWords(parameters.at(-1), parameters.at(-2));
      // commander passes the positional arguments one by one, then the options, then the command
      const positional = parameters
        .slice(0, -2)
        .flat()
        .filter((value) => value !== undefined);
      const note = (text: string) => process.stderr.write(`${spellFlags(text)}\n`);
      const options = optionsOf(file, typedOptions(command, file), note);
      await file.run(positional, options, { commands, ranks: job?.ranks });
    });
  }
}

/** Builds the program for a call with these positional words. */
async function buildProgram(words: readonly string[], job?: Job): Promise<Command> {
  const program = new Command('arclab')
    .description('A TypeScript laboratory for the Abstraction and Reasoning Challenge.')
    .version(arclabVersion())
    .exitOverride()
    .configureHelp(helpLayout)
    .enablePositionalOptions()
    .configureOutput({
      // commander puts its suggestions on lines of their own
      outputError(text, write) {
        // of several processes one says it for all
        if (!job) write(`${usage(text, program)}\n`);
      },
    });
  program.addHelpText('after', '\nFlags may be written with - or _: --max_steps is --max-steps.');
  await addCommands(program, commands, words, job);
  return program;
}

/** Runs the command line. @returns the exit code: 0 done, 1 the answer is no, 2 a mistake in the call. */
export async function main(argv: readonly string[]): Promise<number> {
  let args = normalizeFlags(argv);
  let program: Command | undefined;
  let job: Job | undefined;
  try {
    const words = args.filter((arg) => !arg.startsWith('-') && arg !== 'help');
    if (words[0] !== undefined && !Object.hasOwn(commands, words[0])) {
      // a misspelt command has no help, but a suggestion
      args = args.filter((arg) => !/^(-h|--help|help)$/.test(arg));
    }
    const isHelp = args.some((arg) => /^(-h|--help|help)$/.test(arg));
    const isCommand = words[0] !== undefined && Object.hasOwn(commands, words[0]);
    const place = isCommand && !isHelp ? sharedPlace(words[0]!, process.env) : undefined;
    if (place) job = await (await import('./job.js')).Job.join(place, words[0]!);
    program = await buildProgram(words, job);
    if (args.length === 0) program.help();
    await program.parseAsync(args, { from: 'user' });
    const exitCode = typeof process.exitCode === 'number' ? process.exitCode : 0;
    await job?.end(exitCode);
    return exitCode;
  } catch (error) {
    const isHelp = error instanceof CommanderError && error.exitCode === 0;
    if (job && !isHelp) {
      const message =
        error instanceof CommanderError
          ? usage(error.message.replace(/^error: /, ''), program)
          : messageOf(error);
      await job.fail(error, printable(spellFlags(message, program)));
      return 2;
    }
    await job?.end(0);
    if (error instanceof CommanderError) return isHelp ? 0 : 2;
    // one says it for all
    if (error instanceof AllAlikeError && error.place.rank > 0) return 2;
    if (error instanceof UserError || machineFailures.has((error as NodeJS.ErrnoException)?.code ?? '')) {
      process.stderr.write(
        `${colorsFor(process.stderr).red('error:')} ${printable(spellFlags(messageOf(error), program))}\n`,
      );
      return 2;
    }
    process.stderr.write(`${error instanceof Error && error.stack ? error.stack : messageOf(error)}\n`);
    return 1;
  }
}

if (process.env.VITEST === undefined || process.argv[1]?.endsWith('arclab.cjs')) {
  outliveReader(process.stdout, process.stderr);
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
