import type { Command } from 'commander';
import { buildNotebook, describeBuild, writeNotebook } from '../../kaggle/build.js';
import { loadConfig } from '../../kaggle/config.js';
import { findNotebook } from '../../kaggle/verify.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command: Command) {
    command
      .option(
        '--config <file>',
        'what to build: name, competition, weights, options (default: see docs/kaggle.md)',
      )
      .option('-o, --output-dir <folder>', 'where the files go (default: dist/kaggle/<slug>)');
  },
  async run(_, { config: path, outputDir }: { config?: string; outputDir?: string }) {
    const started = performance.now();
    const config = loadConfig(path);
    const built = await buildNotebook(config);
    const folder = outputDir ?? `dist/kaggle/${config.slug}`;
    const files = writeNotebook(built, config, folder);
    for (const note of findNotebook(folder).notes) process.stderr.write(`${note}\n`);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${describeBuild(built)}\n${files.join('\n')}\nbuilt in ${seconds} s\n`);
  },
} satisfies CommandFile;
