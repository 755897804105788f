import type { Command } from 'commander';
import { selectionTable, selectionText } from '../../display/selection.js';
import { textTable } from '../../display/tables.js';
import { selectOptions } from '../../options/evaluation.js';
import { type SelectOptions, select } from '../../studies/select.js';
import type { CommandFile } from '../command.js';

function configure(command: Command): void {
  command.argument('<file>', selectOptions.table.inputPath.description);
}

async function run(
  [inputPath]: string[],
  given: Omit<SelectOptions, 'inputPath'> & { datasetPath: string },
): Promise<void> {
  const study = await select({ ...given, inputPath: inputPath! });
  process.stdout.write(`${selectionText(study)}\n\n${textTable(selectionTable(study))}\n`);
  const [lacking] = study.left;
  if (lacking) process.stderr.write(`note: ${lacking.reason}\n`);
}

export default { options: selectOptions, configure, run } satisfies CommandFile;
