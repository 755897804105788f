import type { Command } from 'commander';
import { selectionTable, selectionText } from '../../display/selection.js';
import { textTable } from '../../display/tables.js';
import { selectOptions } from '../../options/evaluation.js';
import { type SelectOptions, select } from '../../studies/select.js';
import type { CommandFile } from '../command.js';

function configure(command: Command): void {
  command.argument('<file>', selectOptions.table.inputFilepath.description);
}

async function run(
  [inputFilepath]: string[],
  given: Omit<SelectOptions, 'inputFilepath'> & { datasetPath: string },
): Promise<void> {
  const study = await select({ ...given, inputFilepath: inputFilepath! });
  process.stdout.write(`${selectionText(study)}\n\n${textTable(selectionTable(study))}\n`);
  const [lacking] = study.left;
  if (lacking) process.stderr.write(`note: ${lacking.reason}\n`);
}

export default { options: selectOptions, configure, run } satisfies CommandFile;
