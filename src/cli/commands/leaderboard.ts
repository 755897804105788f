import { leaderboardOptions } from '../../options/experiments.js';
import { type LeaderboardOptions, leaderboard } from '../../studies/leaderboard.js';
import type { CommandFile } from '../command.js';

async function run(_: string[], options: LeaderboardOptions): Promise<void> {
  const onNote = (text: string) => process.stderr.write(`${text}\n`);
  const { markdown } = leaderboard({ ...options, onNote });
  process.stdout.write(`${markdown}\n`);
}

export default { options: leaderboardOptions, run } satisfies CommandFile;
