import { selectionTable, selectionText } from '../../display/selection.js';
import { textTable } from '../../display/tables.js';
import { selectOptions } from '../../options/evaluation.js';
import { type SelectOptions, select } from '../../studies/select.js';
import type { CommandFile } from '../command.js';

async function run(_: string[], options: SelectOptions): Promise<void> {
  const study = await select(options);
  process.stdout.write(`${selectionText(study)}\n\n${textTable(selectionTable(study))}\n`);
  const [lacking] = study.left;
  if (lacking) process.stderr.write(`note: ${lacking.reason}\n`);
}

export default { options: selectOptions, run } satisfies CommandFile;
