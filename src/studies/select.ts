/** Selection rules replayed on a saved pool of predictions, without a model. */
import { datasetOf, requireSolutions, singleTasks, type TaskData } from '../arc/dataset.js';
import { writeJson } from '../common/files.js';
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
  'inputPath' | 'datasetPath',
  { tasks: TaskData; predictions: ResultData }
>;

/**
 * How well each selection rule finds the solutions that a pool has.
 * @throws {UserError} when the pool is about other tasks, or lacks the scores that a named rule needs
 */
export async function select(options: SelectOptions): Promise<SelectionStudy> {
  const { given, values } = splitValues(options, { datasetPath: 'tasks', inputPath: 'predictions' });
  const { inputPath, datasetPath, outputPath, htmlPath, ...study } = selectOptions.check(given);
  const dataset = datasetOf(values.datasetPath ?? datasetPath);
  requireSolutions(dataset, datasetPath);
  const predictions = predictionsOf(resultsOf(values.inputPath ?? inputPath));
  if (predictions.length === 0) {
    throw new EvaluationError(`${inputPath}: expected predictions, found an empty list`);
  }
  const inputs = [inputPath, datasetPath];
  if (outputPath !== undefined) assertWritableFile(outputPath, '`outputPath`', inputs);
  if (htmlPath !== undefined) assertWritableFile(htmlPath, '`htmlPath`', inputs);
  const tasks = singleTasks(dataset, datasetPath);
  const result = studySelection(predictions, tasks, { ...study, source: inputPath });
  if (outputPath !== undefined) writeJson(outputPath, result);
  if (htmlPath !== undefined) await saveReport(htmlPath, selectionReport(result, inputPath));
  return result;
}
