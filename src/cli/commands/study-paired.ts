import { writeJson } from '../../common/files.js';
import { assertWritableFile } from '../../common/output-files.js';
import { textTable } from '../../display/tables.js';
import { pairedRows } from '../../evaluation/paired.js';
import { pairedStudyOptions } from '../../options/evaluation.js';
import { outputFile } from '../../options/shapes.js';
import { defineOptions, type OptionsOf } from '../../options/table.js';
import { pairedStudy } from '../../studies/paired-study.js';
import type { CommandFile } from '../command.js';

const printOptions = defineOptions({
  outputPath: { ...outputFile, description: 'also write the comparison as JSON' },
});

type Options = OptionsOf<typeof pairedStudyOptions.table> & OptionsOf<typeof printOptions.table>;

async function run(_: string[], { outputPath, ...given }: Options): Promise<void> {
  if (outputPath !== undefined) {
    assertWritableFile(outputPath, '`outputPath`', [...(given.first ?? []), ...(given.second ?? [])]);
  }
  const study = pairedStudy(given);
  const [a, b] = study.runs;
  process.stdout.write(
    `${study.tasks} tasks, ${a} and ${b} runs; percent ± standard deviation over runs, differences in points\n` +
      `${textTable(pairedRows(study.metrics))}\n`,
  );
  if (a === 1 && b === 1) {
    process.stdout.write('one run on each side: the intervals say nothing about other seeds\n');
  }
  if (outputPath !== undefined) writeJson(outputPath, study);
}

export default { options: pairedStudyOptions, terminalOptions: printOptions, run } satisfies CommandFile;
