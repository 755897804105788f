/** Inference on a data set: check the options, open the model, predict, give the model back. */
import { firstTasks, type OrTasks, tasksOf } from '../arc/dataset.js';
import { notesTo } from '../common/events.js';
import { type Locking, outputFile, withLock } from '../common/lock.js';
import { assertWritableFile } from '../common/output-files.js';
import { taskResultsPath } from '../evaluation/files.js';
import { splitValues } from '../options/in-place.js';
import { inferOptions } from '../options/inference.js';
import type { OptionsOf } from '../options/table.js';
import type { GenerationHooks } from '../session/ask.js';
import { outputKind } from '../session/plan.js';
import { type InferResult, predict } from '../session/predict.js';
import { lockingOf, openPromptsOf, type Sharing } from '../session/sharing.js';
import { alone } from '../tensors/collective/alone.js';

/** Options of inference on a file. */
export type InferFileOptions = OptionsOf<typeof inferOptions.table>;

/** Options of {@link infer}. */
export type InferOptions = OrTasks<InferFileOptions>;

/** What a flow that infers as a part of it may do otherwise. */
export interface InferParts {
  /** Told when the results are on disk, before the partial ones are removed. */
  onSaved?: () => void;
  /** `withoutLock` when the output file is locked already. */
  locking?: Locking;
}

/**
 * Predicts the outputs of all test inputs of a data set and writes them to `outputPath` and beside it.
 * The same options and seed give the same predictions, whatever the batch size. Answers are kept in
 * `<outputPath>.partial` as they come: a call that was stopped in any way is continued by the same call.
 * @throws {UserError} for every mistake in the options or files, before the model is loaded where possible
 * @throws {StoppedError} when the signal is aborted
 */
export async function infer(
  options: InferOptions & GenerationHooks & Sharing,
  { onSaved = () => {}, locking = withLock }: InferParts = {},
): Promise<InferResult> {
  const { onEvent, signal, ranks = alone, ...rest } = options;
  const { given, values } = splitValues(rest, { datasetPath: 'tasks' });
  const o = inferOptions.check(given, notesTo(onEvent));
  const tasks = firstTasks(tasksOf(values.datasetPath ?? o.datasetPath), o.nTasks);
  outputKind(o.promptVersion, tasks, o.datasetPath);
  for (const path of [o.outputPath, taskResultsPath(o.outputPath)])
    assertWritableFile(path, '`outputPath`', [o.datasetPath]);
  return lockingOf(ranks, locking)(
    outputFile(o.outputPath),
    async (stopping) =>
      predict(await openPromptsOf(ranks, o), tasks, o, { onEvent, signal: stopping, ranks }, onSaved),
    signal,
  );
}

export type { GenerationEvent, GenerationHooks } from '../session/ask.js';
export type { DecodingOptions, InferResult } from '../session/predict.js';
