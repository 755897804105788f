import { formatMetrics } from '../../evaluation/metrics.js';
import { formatSpread, type Spread } from '../../evaluation/spread.js';
import { inferEvaluateSeedsOptions } from '../../options/inference.js';
import { type InferEvaluateSeedsOptions, inferEvaluateSeeds } from '../../studies/seeds.js';
import type { CommandContext, CommandFile } from '../command.js';
import { keepingAnswers } from '../interrupts.js';
import { verboseOptions } from '../terminal-options.js';

async function run(
  _: string[],
  { verbose, ...given }: InferEvaluateSeedsOptions & { verbose?: boolean },
  { ranks }: CommandContext = {},
): Promise<void> {
  const result = await keepingAnswers((hooks) => inferEvaluateSeeds({ ...given, ...hooks, ranks }));
  if (result === undefined) return;
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
}

export default {
  options: inferEvaluateSeedsOptions,
  terminalOptions: verboseOptions,
  run,
} satisfies CommandFile;
