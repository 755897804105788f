import { join } from 'node:path';
import type { Command } from 'commander';
import { assertWritableFolder, writeFileAtomic } from '../../common/files.js';
import { extractNotebook } from '../../kaggle/extract.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command: Command) {
    command
      .argument('<notebook>', 'an .ipynb file that arclab kaggle build made, edited or not')
      .option('-o, --output-dir <folder>', 'where the source and the configuration go', 'kaggle-source');
  },
  async run([path], { outputDir }: { outputDir: string }) {
    const { source, manifest, edited, current } = await extractNotebook(path!);
    assertWritableFolder(outputDir, '-o');
    const files = [
      ['arclab.mjs', source],
      ['submission.json', `${JSON.stringify(manifest.config, null, 2)}\n`],
    ] as const;
    for (const [name, text] of files) writeFileAtomic(join(outputDir, name), text);
    const changes = manifest.dirty ? ' with changes that were not committed' : '';
    process.stdout.write(
      `${files.map(([name]) => join(outputDir, name)).join('\n')}\n` +
        `built from commit ${manifest.commit.slice(0, 12)}${changes}; ${edited ? 'edited in the notebook' : 'not edited'}\n` +
        `${current ? 'equal to the current source' : 'not the current source: arclab kaggle diff shows what has changed'}\n`,
    );
  },
} satisfies CommandFile;
