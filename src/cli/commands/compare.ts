import type { Command } from 'commander';
import { describeComparison } from '../../evaluation/compare.js';
import { compareFiles } from '../../evaluation/compare-files.js';
import { compareOptions } from '../../options/evaluation.js';
import { defineOptions } from '../../options/table.js';
import type { CommandFile } from '../command.js';

const limitOption = defineOptions({
  limit: {
    type: 'integer',
    minimum: 0,
    default: 20,
    value: 'n',
    description: 'how many differing tasks to print',
  },
});

function configure(command: Command): void {
  command
    .argument('<a>', 'inference.json or inference_task_results.json')
    .argument('<b>', 'the file to compare it with');
}

async function run(
  files: string[],
  { limit = limitOption.defaults.limit, ...given }: { tolerance?: number; limit?: number },
): Promise<void> {
  const comparison = compareFiles({ ...given, files });
  process.stdout.write(`${describeComparison(comparison, limit)}\n`);
  if (!comparison.identical) process.exitCode = 1;
}

export default {
  options: compareOptions,
  terminalOptions: limitOption,
  configure,
  run,
} satisfies CommandFile;
