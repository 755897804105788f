/** @file Test-time fine-tuning of an adapter for each task: the model is loaded once, and each begins from the same. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset, Task } from '../arc/types.js';
import { notesTo } from '../common/events.js';
import { OptionError } from '../common/option-names.js';
import { readAdapter, resolveModel, saveAdapterWhole } from '../models/index.js';
import type { ConfigOf } from '../options/table.js';
import type { testTimeFineTuneOptions } from '../options/training.js';
import { openPrompts, promptKindFor } from '../session/prompts.js';
import { freshAdapter, TaskTuner, type TaskTuningHooks } from '../session/task-tuning.js';
import type { FineTuneHooks } from '../training/events.js';
import type { FineTuneResult } from '../training/run.js';

/** Options of a fine-tuning on tasks by themselves. */
export type PerTaskConfig = Omit<ConfigOf<typeof testTimeFineTuneOptions.table>, 'datasetPath' | 'taskIds'>;

/**
 * Writes an adapter for each task into a folder of its name. With `resumeFromCheckpoint` those that are there stay.
 * Tasks of which nothing can be learnt get none, which is said.
 * @returns the output folder as the checkpoint, and the steps of all tasks together
 */
export async function fineTunePerTask(
  tasks: Dataset,
  config: PerTaskConfig,
  { onEvent, signal, secondsLeft }: FineTuneHooks,
): Promise<FineTuneResult> {
  if (!config.useLora) {
    throw new OptionError('perTask', {
      hint: 'every task has an adapter of its own; `useLora` cannot be false',
    });
  }
  const { adapterPath, ...base } = config;
  const note = notesTo(onEvent);
  const kind = promptKindFor(config.promptVersion, ['output-from-examples'], 'test-time fine-tuning');
  const session = await openPrompts(base);
  const decoder = await session.loadDecoder();
  try {
    const start =
      adapterPath === undefined
        ? await freshAdapter(decoder, config)
        : readAdapter(await resolveModel(adapterPath), decoder.adapterBase());
    const tuner = new TaskTuner(decoder, session.builder(kind), config);
    let steps = 0;
    const learn = async (taskId: string, task: Task, before: number): Promise<void> => {
      const folder = join(config.outputDir, `task-${encodeURIComponent(taskId)}`);
      if (config.resumeFromCheckpoint && existsSync(folder)) {
        note(`${folder} is there: nothing to do for ${taskId}`);
        return;
      }
      const onStep: TaskTuningHooks['onStep'] = (report) =>
        onEvent?.({ type: 'step', report: { ...report, step: before + report.step } });
      const tuned = await tuner.tune(start, [taskId, task], { onStep, secondsLeft, signal });
      if (tuned.stopped === 'signal') return;
      steps += tuned.steps;
      if (tuned.steps === 0) {
        note(
          `${taskId}: expected two train samples and prompts within \`maxSeqLen\`: there is nothing to learn from`,
        );
        return;
      }
      await saveAdapterWhole(decoder, folder);
      note(`${folder}: ${tuned.steps} steps, loss ${tuned.loss!.toFixed(4)}`);
    };
    const maxSteps = tasks.size * config.maxSteps;
    onEvent?.({ type: 'start', step: 0, maxSteps, parameters: 0 });
    for (const [place, [taskId, [task]]] of [...tasks].entries()) {
      if (signal?.aborted || (secondsLeft?.() ?? 1) <= 0) break;
      await learn(taskId, task!, place * config.maxSteps);
    }
    const interrupted = signal?.aborted === true;
    return { checkpoint: config.outputDir, steps, interrupted, history: { train: [], validation: [] } };
  } finally {
    decoder.dispose();
  }
}
