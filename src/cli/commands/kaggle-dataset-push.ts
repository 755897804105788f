import type { Command } from 'commander';
import { kaggleClient } from '../../kaggle/client.js';
import { loadConfig } from '../../kaggle/config.js';
import { pushDataset } from '../../kaggle/dataset.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command: Command) {
    command
      .argument('<folder>', 'an adapter, a model, or what arclab kaggle node-dataset wrote')
      .option('--config <file>', 'whose "dataset" names the data set, where the folder has no metadata')
      .option('-m, --message <text>', 'what is new in this version (default: a hash of the files)');
  },
  async run([folder], { config, message }: { config?: string; message?: string }) {
    const { id, url, isNew, leftOut } = await pushDataset(
      folder!,
      kaggleClient((text) => process.stderr.write(text)),
      { config: config === undefined ? undefined : loadConfig(config), notes: message },
    );
    if (leftOut.length > 0)
      process.stderr.write(`left out, of use only in training: ${leftOut.join(', ')}\n`);
    process.stdout.write(`${id} ${isNew ? 'is new' : 'has a new version'}: ${url}\n`);
  },
} satisfies CommandFile;
