import { assertWritableFile } from '../../common/output-files.js';
import { saveReport } from '../../display/report.js';
import { textTable } from '../../display/tables.js';
import { experimentsOptions } from '../../options/experiments.js';
import { comparisonRows, type ExperimentComparison } from '../../studies/compare-experiments.js';
import { type ExperimentsOptions, experiments } from '../../studies/experiments.js';
import { experimentsPage } from '../../studies/experiments-page.js';
import type { CommandFile } from '../command.js';

/** Lists of data sets and paths are long; `--json` and the page show all of them. */
const maxWidth = 32;

const print = (text: string) => process.stdout.write(`${text}\n`);

function printComparison(comparison: ExperimentComparison): void {
  if (comparison.options.length > 0) print(`\n${textTable(comparison.options, { maxWidth })}`);
  if (comparison.results.length > 0) print(`\n${textTable(comparison.results, { maxWidth })}`);
  const rows = comparisonRows(comparison);
  print(
    `\npoints of difference from ${comparison.ids[0]}, with 95% intervals over tasks\n${textTable(rows)}`,
  );
}

async function run(_: string[], given: ExperimentsOptions): Promise<void> {
  const { json = false, htmlPath } = given;
  if (htmlPath !== undefined) assertWritableFile(htmlPath, '`htmlPath`');
  const result = experiments({ ...given, onNote: (text) => process.stderr.write(`${text}\n`) });
  const { runs, rows, columns, comparison } = result;
  if (json) {
    const records = runs.map(({ record, path, status }) => ({ ...record, status, path }));
    print(JSON.stringify(comparison ?? records, null, 2));
  } else if (comparison) printComparison(comparison);
  else print(rows.length === 0 ? 'no runs' : textTable(rows, { columns, maxWidth }));
  if (htmlPath !== undefined) await saveReport(htmlPath, experimentsPage(result));
}

export default { options: experimentsOptions, run } satisfies CommandFile;
