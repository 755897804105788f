import type { Command } from 'commander';
import { pushNotebook } from '../../kaggle/push.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command: Command) {
    command.argument('<folder>', 'what arclab kaggle build wrote');
  },
  async run([folder]) {
    process.exitCode = pushNotebook(folder!);
  },
} satisfies CommandFile;
