/** Selection rules replayed on a saved pool of predictions, without a model. */
import { datasetOf, requireSolutions, singleTasks, type TaskData } from '../arc/dataset.js';
import { writeFileAtomic } from '../common/files.js';
import { assertWritableFile } from '../common/output-files.js';
import { saveReport } from '../display/report.js';
import { selectionReport } from '../display/selection.js';
import { EvaluationError } from '../evaluation/errors.js';
import { predictionsOf, type ResultData, resultsOf } from '../evaluation/files.js';
import { type SelectionStudy, studySelection } from '../evaluation/selection-study.js';
import { selectOptions } from '../options/evaluation.js';
import { type OrValues, splitValues } from '../options/in-place.js';
import type { OptionsOf } from '../options/table.js';

/** Options of {@link select}. */
export type SelectOptions = OrValues<
  OptionsOf<typeof selectOptions.table>,
  'inputFilepath' | 'datasetPath',
  { tasks: TaskData; predictions: ResultData }
>;

/**
 * How well each selection rule finds the solutions that a pool has.
 * @throws {UserError} when the pool is about other tasks, or lacks the scores that a named rule needs
 */
export async function select(options: SelectOptions): Promise<SelectionStudy> {
  const { given, values } = splitValues(options, { datasetPath: 'tasks', inputFilepath: 'predictions' });
  const { inputFilepath, datasetPath, outputFilepath, htmlFilepath, ...study } = selectOptions.check(given);
  const dataset = datasetOf(values.datasetPath ?? datasetPath);
  requireSolutions(dataset, datasetPath);
  const predictions = predictionsOf(resultsOf(values.inputFilepath ?? inputFilepath));
  if (predictions.length === 0) {
    throw new EvaluationError(`${inputFilepath}: expected predictions, found an empty list`);
  }
  const inputs = [inputFilepath, datasetPath];
  if (outputFilepath !== undefined) assertWritableFile(outputFilepath, '`outputFilepath`', inputs);
  if (htmlFilepath !== undefined) assertWritableFile(htmlFilepath, '`htmlFilepath`', inputs);
  const tasks = singleTasks(dataset, datasetPath);
  const result = studySelection(predictions, tasks, { ...study, source: inputFilepath });
  if (outputFilepath !== undefined) writeFileAtomic(outputFilepath, `${JSON.stringify(result, null, 2)}\n`);
  if (htmlFilepath !== undefined) await saveReport(htmlFilepath, selectionReport(result, inputFilepath));
  return result;
}

export type { SelectionStudy } from '../evaluation/selection-study.js';
