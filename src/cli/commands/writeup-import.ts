import { existsSync } from 'node:fs';
import { UserError } from '../../common/errors.js';
import { readText, writeFileAtomic } from '../../common/files.js';
import { importWriteup } from '../../writeup/import.js';
import { notebookText } from '../../writeup/notebook-json.js';
import type { CommandFile } from '../command.js';

interface Options {
  output?: string;
  map: string[];
  force: boolean;
}

/** `OLD=NEW` pairs as a map. */
function pathsOf(pairs: readonly string[]): Map<string, string> {
  return new Map(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 1) throw new UserError(`--map ${pair}: expected OLD=NEW, such as --map /mnt/data=data`);
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
      .option('--force', 'write over a notebook that exists', false);
  },
  async run([file], { output, map, force }: Options) {
    const path = output ?? file!.replace(/(\.(md|markdown))?$/i, '.ipynb');
    if (existsSync(path) && !force) {
      throw new UserError(`${path} exists; --force writes over it, -o gives another name`);
    }
    const { notebook, commands, destructive, results } = importWriteup(
      readText(file!, 'a Markdown write-up'),
      {
        paths: pathsOf(map),
      },
    );
    writeFileAtomic(path, notebookText(notebook));
    process.stdout.write(
      `wrote ${path}: ${commands} commands as cells, ${results} pasted results kept as text\n`,
    );
    for (const command of destructive) {
      process.stdout.write(`left as text, because it deletes or overwrites: ${command.split('\n')[0]}\n`);
    }
  },
} satisfies CommandFile;
