/** @file What child processes are asked for. */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { listCheckpoints } from '../training/checkpoints.js';
import { fineTuningOptions, type SubmitConfig, taskTuningOptions, workerConfig } from './options.js';
import type { Plan } from './plan.js';
import type { Request } from './protocol.js';
import type { Slot } from './slots.js';
import type { Work } from './state.js';

/**
 * The requests of a submission.
 * @param adapter the folder of the given adapter; null without one
 * @param began when it first began, in ms since 1970: older checkpoints are of another one
 */
export class Requests {
  readonly #config: SubmitConfig;
  readonly #groups: Plan['groups'];
  readonly #adapter: string | null;
  readonly #began: number;

  constructor(config: SubmitConfig, { groups }: Plan, adapter: string | null, began: number) {
    this.#config = config;
    this.#groups = groups;
    this.#adapter = adapter;
    this.#began = began;
  }

  /** What each process is told first. */
  open({ device }: Slot): Request {
    const config = { ...workerConfig(this.#config), ...(device === undefined ? {} : { device }) };
    return { type: 'open', config, tuning: taskTuningOptions(this.#config) };
  }

  of(work: Work): Request {
    if (work.type === 'adapt') {
      return { ...work, folder: join(this.#taskAdapters(), `task-${encodeURIComponent(work.taskId)}`) };
    }
    if (work.type !== 'fine-tune') return work;
    const { group, seconds } = work;
    const options = {
      ...fineTuningOptions({ ...this.#config, adapterPath: this.#adapter ?? undefined }),
      taskIds: [...this.#groups[group]!.taskIds],
      outputDir: this.#folderOf(group),
      resumeFromCheckpoint: this.#config.resume && this.newestCheckpoint(group) !== null,
    };
    return { type: 'fine-tune', options, seconds };
  }

  /** The newest checkpoint that this submission has made of a group's adapter; null when there is none. */
  newestCheckpoint(group: number): string | null {
    const newest = listCheckpoints(this.#folderOf(group)).at(-1)?.path;
    return newest !== undefined && statSync(newest).mtimeMs >= this.#began ? newest : null;
  }

  /** Removes the adapters of tasks: those of an earlier submission, or when nobody needs them any more. */
  removeTaskAdapters(): void {
    rmSync(this.#taskAdapters(), { recursive: true, force: true });
  }

  #taskAdapters(): string {
    return join(this.#config.outputDir, 'task-adapters');
  }

  #folderOf(group: number): string {
    const folder = join(this.#config.outputDir, 'fine-tuning');
    return this.#groups.length === 1 ? folder : join(folder, `group-${group + 1}`);
  }
}
