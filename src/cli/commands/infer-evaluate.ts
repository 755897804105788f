import type { Command } from 'commander';
import { formatMetrics } from '../../evaluation/metrics.js';
import { formatSpread, type Spread } from '../../evaluation/spread.js';
import { inferEvaluateSeedsOptions } from '../../options/seeds.js';
import { type InferEvaluateSeedsOptions, inferEvaluateSeeds } from '../../studies/seeds.js';
import type { CommandContext, CommandFile } from '../command.js';
import { keepingAnswers } from '../interrupts.js';
import { verboseOptions } from '../terminal-options.js';
import { terminalProgress } from '../terminal-progress.js';

function configure(command: Command): void {
  command.argument('<checkpoint>', 'a checkpoint folder of fine-tune');
}

async function run(
  [checkpoint]: string[],
  { verbose, ...given }: Omit<InferEvaluateSeedsOptions, 'checkpoint'> & { verbose?: boolean },
  { ranks }: CommandContext = {},
): Promise<void> {
  const { onEvent, stop } = terminalProgress();
  try {
    const result = await keepingAnswers(
      (signal) => inferEvaluateSeeds({ ...given, checkpoint: checkpoint!, onEvent, signal, ranks }),
      stop,
    );
    if (result === undefined) return;
    stop();
    const { runs, seeds } = result;
    if (verbose) for (const { outputPath } of runs) process.stderr.write(`${outputPath}\n`);
    if (seeds.length === 1) {
      process.stdout.write(`predictions: ${formatMetrics(runs[0]!.metrics)}\n`);
      process.stdout.write(`voted: ${formatMetrics(runs[0]!.votedMetrics)}\n`);
      return;
    }
    const line = (spreads: Readonly<Record<string, Spread>>) =>
      Object.entries(spreads)
        .map(([name, spread]) => `${name}: ${formatSpread(spread)}%`)
        .join(' ');
    process.stdout.write(`${seeds.length} seeds (${seeds.join(', ')}), mean ± standard deviation\n`);
    process.stdout.write(`predictions: ${line(result.metrics)}\nvoted: ${line(result.votedMetrics)}\n`);
  } finally {
    stop();
  }
}

export default {
  options: inferEvaluateSeedsOptions,
  terminalOptions: verboseOptions,
  configure,
  run,
} satisfies CommandFile;
