import type { Command } from 'commander';
import { kaggleClient } from '../../kaggle/client.js';
import { pushNotebook } from '../../kaggle/push.js';
import { findNotebook } from '../../kaggle/verify.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command: Command) {
    command.argument('<folder>', 'what arclab kaggle build wrote');
  },
  async run([folder]) {
    const { notes } = findNotebook(folder!);
    for (const note of notes) process.stderr.write(`${note}\n`);
    const { version, url } = await pushNotebook(
      folder!,
      kaggleClient((text) => process.stderr.write(text)),
    );
    process.stdout.write(`${version === undefined ? 'pushed' : `version ${version}`}: ${url}\n`);
  },
} satisfies CommandFile;
