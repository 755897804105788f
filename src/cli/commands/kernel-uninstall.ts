import { uninstallKernelspec } from '../../../kernel/kernelspec/install.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command) {
    command
      .argument('[name]', 'the kernel to remove', 'arclab')
      .option('--prefix <folder>', 'look below this folder first');
  },
  async run([name], { prefix }: { prefix?: string }) {
    const folder = uninstallKernelspec(name ?? 'arclab', prefix);
    process.stdout.write(`removed ${folder}\n`);
  },
} satisfies CommandFile;
