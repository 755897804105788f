import type { Command } from 'commander';
import { configDefaults } from '../../kaggle/config.js';
import { makeNodeDataset } from '../../kaggle/node-dataset.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command: Command) {
    command
      .option('--owner <name>', 'your name on Kaggle', configDefaults.owner)
      .option('--node-version <version>', 'the newest of these versions (Linux, x64)', '22')
      .option('-o, --output-dir <folder>', 'where the files go', 'dist/kaggle/arclab-node');
  },
  async run(_, options: { owner: string; nodeVersion: string; outputDir: string }) {
    const { outputDir, owner, nodeVersion } = options;
    const { id, version, files } = makeNodeDataset({ outputDir, owner, version: nodeVersion });
    process.stdout.write(
      `${files.join('\n')}\nNode.js ${version}: upload it with arclab kaggle dataset push ${outputDir}, and set ` +
        `"nodeDataset": "${id}" in the configuration\n`,
    );
  },
} satisfies CommandFile;
