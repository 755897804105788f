import type { Command } from 'commander';
import { describeComparison } from '../../evaluation/compare.js';
import { compareFiles } from '../../experiments/compare.js';
import { type CommandFile, integer, number } from '../command.js';

function configure(command: Command): void {
  command
    .argument('<a>', 'inference.json or inference_task_results.json')
    .argument('<b>', 'the file to compare it with')
    .option('--tolerance <nats>', 'how much log-probabilities of detailed lists may differ', number(0), 1e-3)
    .option('--limit <n>', 'how many differing tasks to print', integer(0), 20);
}

async function run(
  [a, b]: string[],
  { tolerance, limit }: { tolerance: number; limit: number },
): Promise<void> {
  const comparison = compareFiles({ files: [a!, b!], tolerance });
  process.stdout.write(`${describeComparison(comparison, limit)}\n`);
  if (!comparison.identical) process.exitCode = 1;
}

export default { configure, run } satisfies CommandFile;
