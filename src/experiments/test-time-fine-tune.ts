/**
 * Test-time fine-tuning: learn from the train samples of the very tasks that are to be solved, each left out
 * once as the test sample of its task. No test sample is used, whether its output is known or not.
 */
import { join } from 'node:path';
import { datasetOf, nMinusOne, type OrTasks, saveDataset } from '../arc/dataset.js';
import { UserError } from '../common/errors.js';
import { notesTo } from '../common/events.js';
import { assertWritableFolder } from '../common/files.js';
import { outputFolder, withLock, withoutLock } from '../common/lock.js';
import { OptionError } from '../common/option-names.js';
import { splitValues } from '../options/in-place.js';
import type { OptionsOf } from '../options/table.js';
import { testTimeFineTuneOptions } from '../options/training.js';
import { promptKindFor } from '../session/prompts.js';
import { heardBy, lockingOf, onFirst } from '../session/sharing.js';
import { alone } from '../tensors/collective/alone.js';
import { type FineTuneResult, fineTune, type SharedFineTuneHooks } from './fine-tune.js';
import { fineTunePerTask, type PerTaskConfig } from './fine-tune-per-task.js';

/** Options of {@link testTimeFineTune}: those of fine-tuning, on the test tasks. */
export type TestTimeFineTuneOptions = OrTasks<OptionsOf<typeof testTimeFineTuneOptions.table>>;

/** The data set that a run was trained on, in its output folder. */
const DATASET_FILE = 'n_minus_one.json';

/**
 * Fine-tunes on the n−1 data set of the test tasks, from a fresh adapter or the given one, and writes it and
 * the checkpoints to the output folder; with `perTask` an adapter for each task by itself. Train samples are left out
 * where a prompt is too long.
 * @throws {UserError} as {@link fineTune}, and when no task has two train samples
 */
export async function testTimeFineTune(
  options: TestTimeFineTuneOptions & SharedFineTuneHooks,
): Promise<FineTuneResult> {
  const { onEvent: tell, signal, secondsLeft, ranks, ...all } = options;
  const sharers = ranks ?? alone;
  const onEvent = heardBy(sharers, tell);
  const { given, values } = splitValues(all, { datasetPath: 'tasks' });
  const note = notesTo(onEvent);
  const { datasetPath, taskIds, promptVersion, ...rest } = testTimeFineTuneOptions.check(given, note);
  promptKindFor(promptVersion, ['output-from-examples'], 'test-time fine-tuning');
  if (sharers.isFirst) assertWritableFolder(rest.outputDir, '`outputDir`');
  const wanted = taskIds && new Set(taskIds);
  const tasks = [...datasetOf(values.datasetPath ?? datasetPath)].filter(([id]) => wanted?.has(id) ?? true);
  const dataset = nMinusOne(new Map(tasks));
  if (dataset.size === 0) {
    throw new UserError(
      `${datasetPath}: expected tasks with at least two train samples, one of which can be left out; ` +
        `found none among ${tasks.length}`,
    );
  }
  checkStops(rest);
  if (rest.perTask && sharers.size > 1) {
    throw new OptionError('perTask', {
      hint: `tasks by themselves are not shared by ${sharers.size} processes: start one, or leave it out`,
    });
  }
  if (rest.perTask) {
    const run = (stopping: AbortSignal) =>
      fineTunePerTask(new Map(tasks), { ...rest, promptVersion }, { onEvent, signal: stopping, secondsLeft });
    return withLock(outputFolder(rest.outputDir), run, signal);
  }
  const path = join(rest.outputDir, DATASET_FILE);
  const run = async (stopping: AbortSignal) => {
    await onFirst(sharers, () => saveDataset(path, dataset));
    const hooks = { onEvent, signal: stopping, secondsLeft, ranks };
    // every sample has its turn as the test sample already
    const { perTask: _, stopLoss: __, stopWhenSolved: ___, ...together } = rest;
    const training = {
      ...together,
      trainDatasets: [[path, promptVersion]],
      swapTrainAndTest: false,
    } as const;
    return fineTune({ ...training, ...hooks }, withoutLock);
  };
  return lockingOf(sharers, withLock)(outputFolder(rest.outputDir), run, signal);
}

/** @throws {OptionError} for options of tasks by themselves that mean nothing beside the others */
function checkStops(config: Pick<PerTaskConfig, 'perTask' | 'stopLoss' | 'stopWhenSolved'>): void {
  const wrong = (['stopLoss', 'stopWhenSolved'] as const).find(
    (name) => config[name] !== testTimeFineTuneOptions.defaults[name],
  );
  if (wrong && !config.perTask) throw new OptionError(wrong, { hint: 'it needs `perTask`' });
}
