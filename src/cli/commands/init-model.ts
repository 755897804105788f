import { type InitModelOptions, initModel } from '../../models/init-model.js';
import { initModelOptions } from '../../options/other.js';
import { writeTokenizer } from '../../prompts/train-tokenizer.js';
import type { CommandFile } from '../command.js';

async function run(_: string[], options: InitModelOptions): Promise<void> {
  const count = initModel({ ...options, writeTokenizer });
  process.stdout.write(`wrote ${options.outputDir}: ${(count / 1e6).toFixed(2)} M weights\n`);
}

export default { options: initModelOptions, run } satisfies CommandFile;
