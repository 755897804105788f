import type { Command } from 'commander';
import { joinOptions } from '../../options/evaluation.js';
import { type JoinResultsOptions, joinResults } from '../../studies/join.js';
import type { CommandFile } from '../command.js';

function configure(command: Command): void {
  command.argument('<files...>', joinOptions.table.inputPaths.description);
}

async function run(files: string[], given: Omit<JoinResultsOptions, 'inputPaths'>): Promise<void> {
  const { counts, testInputs, detailsPath } = joinResults({ ...given, inputPaths: files });
  const total = counts.reduce((sum, count) => sum + count, 0);
  process.stdout.write(
    `${total} predictions (${counts.join(' + ')}) for ${testInputs} test inputs in ${detailsPath}; ` +
      `arclab vote --input_path ${detailsPath} chooses among them\n`,
  );
}

export default { options: joinOptions, configure, run } satisfies CommandFile;
