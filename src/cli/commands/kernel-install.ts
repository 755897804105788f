import { join } from 'node:path';
import type { Destination } from '../../../kernel/kernelspec/folders.js';
import { installKernelspec } from '../../../kernel/kernelspec/install.js';
import { arclabSpec, temporaryWarning, tslabSpec } from '../../../kernel/kernelspec/spec.js';
import { UserError } from '../../common/errors.js';
import { buildFile, packageRoot } from '../../common/files.js';
import type { CommandFile } from '../command.js';

interface Options {
  user: boolean;
  prefix?: string;
  sysPrefix: boolean;
  name: string;
  tslab: boolean;
}

export default {
  configure(command) {
    command
      .option('--user', 'for you alone (the default)', false)
      .option('--prefix <folder>', 'below a folder: <folder>/share/jupyter/kernels')
      .option('--sys-prefix', 'into the Python environment that is active', false)
      .option('--name <name>', 'what notebooks call it; --name tslab serves those made for tslab', 'arclab')
      .option('--tslab', 'register stock tslab too, as tslab-stock, for comparison', false);
  },
  async run(_, { user, prefix, sysPrefix, name, tslab }: Options) {
    if ([user, prefix !== undefined, sysPrefix].filter(Boolean).length > 1) {
      throw new UserError('--user, --prefix and --sys-prefix name three places; give one of them');
    }
    const destination: Destination =
      prefix !== undefined ? { kind: 'prefix', folder: prefix } : { kind: sysPrefix ? 'sys-prefix' : 'user' };
    const logos = join(packageRoot(), 'assets/kernelspec');
    const specs = [[name, arclabSpec(buildFile('kernel.cjs'))] as const];
    if (tslab) specs.push(['tslab-stock', tslabSpec(process.cwd())]);
    for (const [kernel, spec] of specs) {
      const folder = installKernelspec(kernel, spec, destination, logos);
      process.stdout.write(`installed kernel ${kernel} in ${folder}\n`);
    }
    const warning = temporaryWarning(buildFile('kernel.cjs'));
    if (warning !== undefined) process.stderr.write(`${warning}\n`);
  },
} satisfies CommandFile;
