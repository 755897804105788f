import { existsSync } from 'node:fs';
import {
  assertPair,
  isScript,
  notebookToScript,
  pairOf,
  scriptToNotebook,
} from '../../../kernel/notebook/percent/convert.js';
import { UserError } from '../../common/errors.js';
import { readText, writeFileAtomic } from '../../common/files.js';
import type { CommandFile } from '../command.js';

interface Options {
  output?: string;
  force: boolean;
}

const help = `
A script is a TypeScript file in jupytext's percent format: "// %%" begins a cell, "// %% [markdown]" one of text, and a
comment at the top holds the notebook's metadata as YAML. Its notebook has the same name with .ipynb. Both then say that
they are a pair, so that each can be made of the other again: text comes from the file that is converted, and the
notebook keeps the outputs of cells that have not changed. JupyterLab keeps such a pair in step where jupytext is
installed.`;

export default {
  configure(command) {
    command
      .argument('<file>', 'a notebook (.ipynb) or a script (.ts)')
      .option('-o, --output <file>', 'where the other form goes (default: the same name with .ts or .ipynb)')
      .option('--force', 'write over a file that is not the other half of a pair', false)
      .addHelpText('after', help);
  },
  async run([file], { output, force }: Options) {
    const path = file!;
    const target = output ?? pairOf(path);
    if (isScript(path) === isScript(target)) {
      throw new UserError(`${target}: expected a name that ends in ${isScript(path) ? '.ipynb' : '.ts'}`);
    }
    const isPair = target === pairOf(path);
    assertPair(path, target, force);
    const text = isScript(path) ? scriptToNotebook(path, target, isPair) : notebookToScript(path, isPair);
    const isNew = !existsSync(target) || readText(target, 'a file') !== text;
    if (isNew) writeFileAtomic(target, text);
    process.stdout.write(isNew ? `wrote ${target}\n` : `${target} is up to date\n`);
  },
} satisfies CommandFile;
