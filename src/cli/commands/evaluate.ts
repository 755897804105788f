import type { Command } from 'commander';
import { writeJson } from '../../common/files.js';
import { assertWritableFile } from '../../common/output-files.js';
import { type TableRow, textTable } from '../../display/tables.js';
import { formatMetrics, formatPercent } from '../../evaluation/metrics.js';
import type { Spread } from '../../evaluation/spread.js';
import { evaluateOptions, studyOptions } from '../../options/evaluation.js';
import { outputFile } from '../../options/shapes.js';
import { defineOptions, type OptionsOf } from '../../options/table.js';
import {
  compareEvaluations,
  type EvaluateResult,
  evaluate,
  studyPredictions,
} from '../../studies/evaluate.js';
import type { CommandFile } from '../command.js';

const printOptions = defineOptions({
  outputPath: { ...outputFile, description: 'also write the metrics as JSON' },
  perTask: { type: 'boolean', default: false, description: 'print the metrics of every task' },
  study: {
    type: 'boolean',
    default: false,
    description: 'print the effect of the number of predictions and of the size of the output',
  },
  seed: studyOptions.table.seed,
});

type Options = OptionsOf<typeof printOptions.table> & { datasetPath: string };

function configure(command: Command): void {
  command.argument('<files...>', `${evaluateOptions.table.inferencePath.description}; several make a table`);
}

const percent = (value: unknown) => (typeof value === 'number' ? formatPercent(value) : String(value ?? ''));
const spread = ({ mean, std }: Spread) => `${formatPercent(mean)} ± ${(100 * std).toFixed(1)}`;
const print = (text: string) => process.stdout.write(`${text}\n`);

/** Fractions as percentages, counts as they are. */
function table(rows: readonly TableRow[], counts: readonly string[] = []): string {
  return textTable(rows, {
    format: (value, column) => (counts.includes(column) ? String(value) : percent(value)),
  });
}

function printStudy(file: string, { datasetPath, seed = studyOptions.defaults.seed }: Options): void {
  const { predictionCount, outputSize, perAttempt } = studyPredictions({
    inferencePath: file,
    datasetPath,
    seed,
  });
  if (predictionCount.length > 0) {
    print('\nnumber of predictions (mean ± standard deviation over random subsets)');
    print(
      textTable(
        predictionCount.map((row) => ({
          predictions: row.predictions,
          pass_n: spread(row.pass_n),
          vote_1: spread(row.vote_1),
          vote_2: spread(row.vote_2),
        })),
      ),
    );
  }
  print('\nsize of the output (cells)');
  const sizes = outputSize.map(({ cells, testInputs, metrics }) => ({
    cells,
    test_inputs: testInputs,
    ...metrics,
  }));
  print(table(sizes, ['test_inputs']));
  print('\nattempt by attempt');
  print(
    table(
      perAttempt.map((row) => ({ ...row })),
      ['attempt'],
    ),
  );
}

async function run(files: string[], given: Options): Promise<void> {
  const { datasetPath, outputPath, perTask, study } = given;
  if (outputPath !== undefined) {
    assertWritableFile(outputPath, '`outputPath`', [...files, datasetPath]);
  }
  const results = files.map((inferencePath) => evaluate({ inferencePath, datasetPath }));
  for (const { source, missingTasks, evaluation } of results) {
    if (missingTasks.length === 0) continue;
    const note = `${missingTasks.length} of ${evaluation.perTask.size} tasks have no predictions and count as unanswered`;
    process.stderr.write(`note: ${source}: ${note}\n`);
  }
  const [first] = results as [EvaluateResult];
  if (results.length === 1) {
    print(formatMetrics(first.evaluation.overall));
    if (first.votes) print(formatMetrics(first.votes));
  } else {
    const rows = compareEvaluations({ tasks: datasetPath, results: files });
    print(table(rows.map(({ name, tasks: _, ...metrics }) => ({ file: name, ...metrics }))));
    print('change: points from the first file, with a 95% interval over tasks');
  }
  for (const { source, evaluation } of results) {
    if (results.length > 1 && (perTask || study)) print(`\n${source}`);
    if (perTask) {
      print(`\n${table([...evaluation.perTask].map(([task, metrics]) => ({ task, ...metrics })))}`);
    }
    if (study) printStudy(source, given);
  }
  if (outputPath !== undefined) {
    const json = results.map(({ source, evaluation, votes }) => ({
      file: source,
      overall: { ...evaluation.overall, ...votes },
      perTask: Object.fromEntries(evaluation.perTask),
    }));
    writeJson(outputPath, json.length === 1 ? json[0] : json);
  }
}

export default {
  options: evaluateOptions,
  terminalOptions: printOptions,
  configure,
  run,
} satisfies CommandFile;
