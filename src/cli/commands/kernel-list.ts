import { installedKernels } from '../../../kernel/kernelspec/install.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command) {
    command.option('--prefix <folder>', 'look below this folder too');
  },
  async run(_, { prefix }: { prefix?: string }) {
    const kernels = installedKernels(prefix);
    if (kernels.length === 0) process.stdout.write('none; install one with arclab kernel install\n');
    const width = Math.max(...kernels.map(({ name }) => name.length));
    for (const { name, folder, missing } of kernels) {
      const note = missing.length > 0 ? `  broken: ${missing.join(' and ')} is gone; install it again` : '';
      process.stdout.write(`${name.padEnd(width)}  ${folder}${note}\n`);
    }
  },
} satisfies CommandFile;
