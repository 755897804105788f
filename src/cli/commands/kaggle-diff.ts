import type { Command } from 'commander';
import { takesColors } from '../../display/terminal-colors.js';
import { diffNotebook } from '../../kaggle/extract.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command: Command) {
    command.argument('<notebook>', 'an .ipynb file that arclab kaggle build made, edited or not');
  },
  async run([path]) {
    const { modules, lines, packed } = await diffNotebook(path!, { color: takesColors(process.stdout) });
    process.stdout.write(lines);
    if (packed.length > 0) process.stdout.write(`packed and changed: ${packed.join(', ')}\n`);
    const count = modules.length + packed.length;
    process.stdout.write(count === 0 ? 'nothing has changed\n' : `${count} modules have changed\n`);
    // as diff does it
    if (count > 0) process.exitCode = 1;
  },
} satisfies CommandFile;
