import { joinOptions } from '../../options/evaluation.js';
import { type JoinResultsOptions, joinResults } from '../../studies/join.js';
import type { CommandFile } from '../command.js';

async function run(_: string[], options: JoinResultsOptions): Promise<void> {
  const { counts, testInputs, detailsPath } = joinResults(options);
  const total = counts.reduce((sum, count) => sum + count, 0);
  process.stdout.write(
    `${total} predictions (${counts.join(' + ')}) for ${testInputs} test inputs in ${detailsPath}; ` +
      `arclab vote --input_path ${detailsPath} chooses among them\n`,
  );
}

export default { options: joinOptions, run } satisfies CommandFile;
