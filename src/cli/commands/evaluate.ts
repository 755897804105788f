import type { Command } from 'commander';
import { writeFileAtomic } from '../../common/files.js';
import { type TableRow, textTable } from '../../display/tables.js';
import { formatMetrics, formatPercent } from '../../evaluation/metrics.js';
import type { Spread } from '../../evaluation/spread.js';
import { type EvaluateResult, evaluate, studyPredictions } from '../../experiments/evaluate.js';
import { assertWritableFile } from '../../experiments/output-files.js';
import { type CommandFile, integer, toggle } from '../command.js';

interface Options {
  datasetPath: string;
  outputFilepath?: string;
  perTask: boolean;
  study: boolean;
  seed: number;
}

function configure(command: Command): void {
  command
    .argument('<files...>', 'inference.json or inference_task_results.json; several make a table')
    .requiredOption('--dataset-path <file>', 'ARC tasks with solutions')
    .option('--output-filepath <file>', 'also write the metrics as JSON');
  toggle(command, 'per-task', 'print the metrics of every task', false);
  toggle(
    command,
    'study',
    'print the effect of the number of predictions and of the size of the output',
    false,
  );
  command.option('--seed <n>', "of the study's resampling", integer(), 0);
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

function printStudy(file: string, { datasetPath, seed }: Options): void {
  const { predictionCount, outputSize, perAttempt } = studyPredictions({
    inferenceFilepath: file,
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

async function run(files: string[], options: Options): Promise<void> {
  const { datasetPath, outputFilepath } = options;
  if (outputFilepath !== undefined) {
    assertWritableFile(outputFilepath, '--output_filepath', [...files, datasetPath]);
  }
  const results = files.map((inferenceFilepath) => evaluate({ inferenceFilepath, datasetPath }));
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
    print(
      table(
        results.map(({ source, evaluation, votes }) => ({ file: source, ...evaluation.overall, ...votes })),
      ),
    );
  }
  for (const { source, evaluation } of results) {
    if (results.length > 1 && (options.perTask || options.study)) print(`\n${source}`);
    if (options.perTask) {
      print(`\n${table([...evaluation.perTask].map(([task, metrics]) => ({ task, ...metrics })))}`);
    }
    if (options.study) printStudy(source, options);
  }
  if (outputFilepath !== undefined) {
    const json = results.map(({ source, evaluation, votes }) => ({
      file: source,
      overall: { ...evaluation.overall, ...votes },
      perTask: Object.fromEntries(evaluation.perTask),
    }));
    writeFileAtomic(outputFilepath, `${JSON.stringify(json.length === 1 ? json[0] : json, null, 2)}\n`);
  }
}

export default { configure, run } satisfies CommandFile;
