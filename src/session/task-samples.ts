/** What a model learns from one task before it is asked about it: its train samples, each in turn as the target. */
import { augmentTask } from '../arc/augmentation.js';
import { leaveOneOut } from '../arc/dataset.js';
import type { Task } from '../arc/types.js';
import type { ConfigOf } from '../options/table.js';
import type { sessionFineTuneOnTaskOptions } from '../options/training.js';
import { buildSample, type StreamItem, type TrainingPrompts } from '../training/sample-source.js';
import { type AugmentationToggles, TaskViews } from './views.js';

/** Options of a fine-tuning on one task, with every default filled in. */
export type TaskTuningConfig = ConfigOf<typeof sessionFineTuneOnTaskOptions.table>;

/** How samples of a task are made; train samples are left out of those that are longer than `maxSeqLen`. */
export interface TaskSampleOptions
  extends AugmentationToggles,
    Pick<TaskTuningConfig, 'seed' | 'lossOn' | 'maxSeqLen' | 'promptVersion'> {
  /** Keep the last train sample back: no sample has it as its target. */
  readonly holdOut?: boolean;
}

/** A task as a prompt shows it when one of its train samples is the target, and the views of that. */
interface Target {
  readonly task: Task;
  readonly views: TaskViews;
}

/**
 * The endless sequence of samples of one task. Sample i has train sample i mod n as its target, and the next view of
 * it: eight in a row of one target have the eight symmetries, and colours and orders of the others are new as long as
 * there are any. The i-th sample depends on the seed, the task's name and the task only.
 */
export class TaskSamples {
  readonly #targets: readonly Target[];
  readonly #heldOut: Target | undefined;
  readonly #prompts: TrainingPrompts;
  readonly #options: TaskSampleOptions;

  constructor(taskId: string, task: Task, prompts: TrainingPrompts, options: TaskSampleOptions) {
    const all = leaveOneOut(task).map((variant, i): Target => {
      const views = new TaskViews(options.seed, `${taskId}/train/${i}`, variant, options);
      return { task: variant, views };
    });
    const holdOut = options.holdOut === true && all.length > 1;
    this.#targets = holdOut ? all.slice(0, -1) : all;
    this.#heldOut = holdOut ? all.at(-1) : undefined;
    this.#prompts = prompts;
    this.#options = options;
  }

  /** How many train samples are targets: none where there is nothing to learn from. */
  get targets(): number {
    return this.#targets.length;
  }

  /** The sample at a place of the sequence. */
  item(index: number): StreamItem {
    const target = this.#targets[index % this.#targets.length]!;
    return this.#make(target, Math.floor(index / this.#targets.length), index);
  }

  /**
   * The first views of the train sample that is kept back.
   * @returns those that fit; none without such a sample
   */
  heldOut(views: number): StreamItem[] {
    const target = this.#heldOut;
    if (target === undefined) return [];
    const count = Math.min(views, target.views.total);
    return Array.from({ length: count }, (_, i) => this.#make(target, i, i));
  }

  #make({ task, views }: Target, view: number, index: number): StreamItem {
    const { promptVersion } = this.#options;
    const pair = { prompts: this.#prompts, kind: promptVersion, label: 'task', lossWeight: 1 };
    const options = { ...this.#options, removeTrainSamplesToFitMaxSeqLen: true };
    return buildSample(pair, augmentTask(task, views.at(view)), 0, index, options);
  }
}
