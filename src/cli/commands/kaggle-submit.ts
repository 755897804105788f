import type { Command } from 'commander';
import { kaggleClient } from '../../kaggle/client.js';
import { submitNotebook } from '../../kaggle/remote.js';
import { type CommandFile, integer } from '../command.js';

export default {
  configure(command: Command) {
    command
      .argument('<folder>', 'what arclab kaggle build wrote, and arclab kaggle push has pushed')
      .option('--kernel-version <n>', 'another version than the one that was pushed from here', integer(1))
      .option('-m, --message <text>', 'what distinguishes it (default: title and version)');
  },
  async run([folder], { kernelVersion, message }: { kernelVersion?: number; message?: string }) {
    const said = await submitNotebook(folder!, kaggleClient(), { version: kernelVersion, message });
    process.stdout.write(`${said}\n`);
  },
} satisfies CommandFile;
