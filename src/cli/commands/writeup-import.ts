import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UserError } from '../../common/errors.js';
import { readText, writeFileAtomic } from '../../common/files.js';
import { importWriteup } from '../../writeup/import.js';
import { notebookText } from '../../writeup/notebook-json.js';
import type { CommandContext, CommandFile } from '../command.js';
import { commandLineOf } from '../own-calls.js';

interface Options {
  output?: string;
  map: string[];
  default: string[];
  runAll: boolean;
  force: boolean;
}

/** `OLD=NEW` pairs as a map. */
function pairsOf(pairs: readonly string[], flag: string, expected: string): Map<string, string> {
  return new Map(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 1) throw new UserError(`${flag} ${pair}: expected ${expected}`);
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

export default {
  configure(command) {
    command
      .argument('<file>', 'a Markdown write-up')
      .option('-o, --output <file>', 'the notebook (default: the same name with .ipynb)')
      .option('--map <old=new...>', 'replace paths in commands', [])
      .option(
        '--default <option=value...>',
        'options for commands of arclab that take them and lack them',
        [],
      )
      .option(
        '--run-all',
        'commands that delete, overwrite, go to other machines or do not end become cells, too',
        false,
      )
      .option('--force', 'write over a notebook that exists', false);
  },
  async run([file], options: Options, { commands: table = {} }: CommandContext = {}) {
    const path = options.output ?? file!.replace(/(\.(md|markdown))?$/i, '.ipynb');
    if (existsSync(path) && !options.force) {
      throw new UserError(`${path} exists; --force writes over it, -o gives another name`);
    }
    const defaults = pairsOf(options.default, '--default', 'OPTION=VALUE, such as dataset_path=tasks.json');
    const { notebook, commands, left, marked, results } = await importWriteup(
      readText(file!, 'a Markdown write-up'),
      {
        paths: pairsOf(options.map, '--map', 'OLD=NEW, such as --map /mnt/data=data'),
        defaults: new Map(
          [...defaults].map(([name, value]) => [name.replace(/^--/, '').replaceAll('-', '_'), value]),
        ),
        commandLine: commandLineOf(table),
        // commands run where the notebook is
        exists: (name) => existsSync(resolve(dirname(path), name)),
        runAll: options.runAll,
      },
    );
    writeFileAtomic(path, notebookText(notebook));
    process.stdout.write(
      `wrote ${path}: ${commands} commands as cells, ${results} pasted results kept as text\n`,
    );
    for (const { command, reason } of marked) {
      process.stdout.write(`will fail, because ${reason}: ${command.split('\n')[0]}\n`);
    }
    for (const { command, reason } of left) {
      process.stdout.write(`left as text, because ${reason}: ${command.split('\n')[0]}\n`);
    }
  },
} satisfies CommandFile;
