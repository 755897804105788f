import { type MoveAdapterOptions, moveAdapter } from '../../models/move-adapter.js';
import { moveAdapterOptions } from '../../options/other.js';
import type { CommandFile } from '../command.js';

export default {
  options: moveAdapterOptions,
  async run(_, options: MoveAdapterOptions) {
    const { tokensInCommon } = await moveAdapter(options);
    const what =
      tokensInCommon === undefined
        ? 'nothing in it is of tokens'
        : `${tokensInCommon} tokens are in both models`;
    process.stdout.write(`wrote ${options.outputDir}: ${what}\n`);
  },
} satisfies CommandFile;
