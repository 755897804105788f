import { contributionRows } from '../../display/contributions.js';
import { textTable } from '../../display/tables.js';
import { colorsFor } from '../../display/terminal-colors.js';
import { formatDifference } from '../../evaluation/intervals.js';
import { formatSpread } from '../../evaluation/spread.js';
import { type StartOptions, start } from '../../experiments/start.js';
import { startSeedsOptions } from '../../options/other.js';
import { type StartSeedsOptions, startSeeds } from '../../studies/seeds.js';
import type { CommandFile } from '../command.js';
import { keepingAnswers } from '../interrupts.js';

async function runSeeds(options: StartSeedsOptions): Promise<void> {
  const result = await keepingAnswers((hooks) => startSeeds({ ...options, ...hooks }));
  if (result === undefined) return;
  const { seeds, before, after, change, parts } = result;
  const rows = Object.keys(after).map((name) => ({
    metric: name,
    before: before[name] && formatSpread(before[name]),
    after: formatSpread(after[name]!),
    'change [95%]': change[name] && formatDifference(change[name]),
  }));
  process.stdout.write(
    `\n${seeds.length} seeds (${seeds.join(', ')}): percent ± standard deviation, change in points\n${textTable(rows)}\n\n` +
      `${textTable(contributionRows(parts))}\n`,
  );
}

export default {
  options: startSeedsOptions,
  async run(_, { seeds = 1, ...options }: StartOptions & { seeds?: number }) {
    if (seeds > 1) return runSeeds({ ...options, seeds });
    const result = await keepingAnswers((hooks) => start({ ...options, ...hooks }));
    if (result === undefined) return;
    const percent = (metrics: Record<string, number>, name: string) =>
      `${(100 * metrics[name]!).toFixed(1)}%`;
    process.stdout.write('\n');
    for (const name of ['accuracy', 'pass_n', 'vote_2']) {
      const change = `${percent(result.before, name)} → ${colorsFor(process.stdout).bold(percent(result.after, name))}`;
      process.stdout.write(`${name.padEnd(10)} ${change}\n`);
    }
    process.stdout.write(
      `\n${result.submissionPath}\n${result.reportPath}   ← open this in a browser\n` +
        `done in ${result.seconds.toFixed(0)} s\n`,
    );
  },
} satisfies CommandFile;
