import type { Command } from 'commander';
import { leaderboardOptions } from '../../options/experiments.js';
import { type LeaderboardOptions, leaderboard } from '../../studies/leaderboard.js';
import type { CommandFile } from '../command.js';

function configure(command: Command): void {
  command.argument('[folder]', leaderboardOptions.table.folder.description);
}

async function run([folder]: string[], given: Omit<LeaderboardOptions, 'folder'>): Promise<void> {
  const { markdown } = leaderboard({
    ...given,
    ...(folder === undefined ? {} : { folder }),
    onNote: (text) => process.stderr.write(`${text}\n`),
  });
  process.stdout.write(`${markdown}\n`);
}

export default { options: leaderboardOptions, configure, run } satisfies CommandFile;
