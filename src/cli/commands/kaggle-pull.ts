import type { Command } from 'commander';
import { assertWritableFolder } from '../../common/files.js';
import { kaggleClient } from '../../kaggle/client.js';
import { kernelId, pullOutput } from '../../kaggle/remote.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command: Command) {
    command
      .argument('<folder|owner/slug>', 'what arclab kaggle build wrote, or the name of a notebook on Kaggle')
      .option('-o, --output-dir <folder>', 'where the files go', 'kaggle-output');
  },
  async run([target], { outputDir }: { outputDir: string }) {
    const kernel = kernelId(target!);
    assertWritableFolder(outputDir, '-o');
    const files = await pullOutput(kernel, outputDir, kaggleClient());
    process.stdout.write(`${files.join('\n')}\n`);
  },
} satisfies CommandFile;
