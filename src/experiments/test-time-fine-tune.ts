/**
 * Test-time fine-tuning: learn from the train samples of the very tasks that are to be solved, each left out
 * once as the test sample of its task. No test sample is used, whether its output is known or not.
 */
import { join } from 'node:path';
import { loadDataset, nMinusOne, saveDataset } from '../arc/dataset.js';
import { UserError } from '../common/errors.js';
import { assertWritableFolder } from '../common/files.js';
import type { FineTuneOptions } from '../training/options.js';
import { type FineTuneHooks, type FineTuneResult, fineTune } from './fine-tune.js';
import { inferDefaults } from './infer.js';
import { promptKindFor } from './model-session.js';

/** Options of {@link testTimeFineTune}: those of fine-tuning, on the test tasks. */
export interface TestTimeFineTuneOptions
  extends Omit<FineTuneOptions, 'trainDatasets' | 'valDataset' | 'maxValSamples' | 'swapTrainAndTest'> {
  /** The tasks to be solved; their test outputs need not be known. */
  datasetPath: string;
  /** Only these of the tasks. */
  taskIds?: readonly string[];
  promptVersion?: string;
}

/** The data set that a run was trained on, in its output folder. */
const DATASET_FILE = 'n_minus_one.json';

/**
 * Fine-tunes on the n−1 data set of the test tasks, from a fresh adapter or the given one, and writes it and
 * the checkpoints to the output folder. Train samples are left out where a prompt is too long.
 * @throws {UserError} as {@link fineTune}, and when no task has two train samples
 */
export async function testTimeFineTune(
  options: TestTimeFineTuneOptions & FineTuneHooks,
): Promise<FineTuneResult> {
  const { datasetPath, taskIds, promptVersion = inferDefaults.promptVersion, ...rest } = options;
  promptKindFor(promptVersion, ['output-from-examples'], 'test-time fine-tuning');
  assertWritableFolder(options.outputDir, '--output_dir');
  const wanted = taskIds && new Set(taskIds);
  const tasks = [...loadDataset(datasetPath)].filter(([id]) => wanted?.has(id) ?? true);
  const dataset = nMinusOne(new Map(tasks));
  if (dataset.size === 0) {
    throw new UserError(
      `${datasetPath}: expected tasks with at least two train samples, one of which can be left out; ` +
        `found none among ${tasks.length}`,
    );
  }
  const path = join(options.outputDir, DATASET_FILE);
  saveDataset(path, dataset);
  return fineTune({
    removeTrainSamplesToFitMaxSeqLen: true,
    ...rest,
    trainDatasets: [[path, promptVersion]],
    // every sample has its turn as the test sample already
    swapTrainAndTest: false,
  });
}
