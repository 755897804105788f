import { join } from 'node:path';
import { writeFileAtomic } from '../../common/files.js';
import { importWriteup } from '../../writeup/import.js';
import { newWriteup } from '../../writeup/new.js';
import { notebookText } from '../../writeup/notebook-json.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command) {
    command
      .argument('<title>', 'what the iteration is about')
      .option('--folder <folder>', 'where write-ups are, numbered', 'notebooks');
  },
  async run([title], { folder }: { folder: string }) {
    const today = new Date().toISOString().slice(0, 10);
    const { name, markdown } = newWriteup(title!, folder, today);
    const path = join(folder, `${name}.ipynb`);
    writeFileAtomic(path, notebookText((await importWriteup(markdown)).notebook));
    process.stdout.write(`wrote ${path}\n`);
  },
} satisfies CommandFile;
