/** @file What child processes are asked for. */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Grid } from '../arc/types.js';
import { listCheckpoints } from '../training/checkpoints.js';
import { fineTuningOptions, type SubmitConfig, taskTuningOptions, workerConfig } from './options.js';
import type { Plan, PlannedItem } from './plan.js';
import type { Item, Question, Request } from './protocol.js';
import type { WorkerSlot } from './slots.js';
import type { Work } from './state.js';

/** What the requests of a submission depend on beside its options. */
export interface RequestContext {
  readonly groups: Plan['groups'];
  /** The folder of the given adapter; null without one. */
  readonly adapter: string | null;
  /** When it first began, in ms since 1970: older checkpoints are of another one. */
  readonly began: number;
  /** The grids that were predicted for a test input before an item. */
  readonly knownGrids: (item: Item) => Grid[];
}

/** The requests of a submission. */
export class Requests {
  readonly #config: SubmitConfig;
  readonly #context: RequestContext;

  constructor(config: SubmitConfig, context: RequestContext) {
    this.#config = config;
    this.#context = context;
  }

  /** What each process is told first. */
  open({ device }: WorkerSlot): Request {
    const config = { ...workerConfig(this.#config), ...(device === undefined ? {} : { device }) };
    return { type: 'open', config, tuning: taskTuningOptions(this.#config) };
  }

  of(work: Work): Request {
    if (work.type === 'adapt') {
      return { ...work, folder: join(this.#taskAdapters(), `task-${encodeURIComponent(work.taskId)}`) };
    }
    if (work.type === 'predict') return { ...work, items: work.items.map((item) => this.#question(item)) };
    if (work.type === 'load') return work;
    const { group, seconds } = work;
    const options = {
      ...fineTuningOptions({ ...this.#config, adapterPath: this.#context.adapter ?? undefined }),
      taskIds: [...this.#context.groups[group]!.taskIds],
      outputDir: this.#folderOf(group),
      resumeFromCheckpoint: this.#config.resume && this.newestCheckpoint(group) !== null,
    };
    return { type: 'fine-tune', options, seconds };
  }

  #question({ taskId, testIndex, i, views }: PlannedItem): Question {
    const item = { taskId, testIndex, i };
    return views === undefined ? item : { ...item, search: { known: this.#context.knownGrids(item) } };
  }

  /** The newest checkpoint that this submission has made of a group's adapter; null when there is none. */
  newestCheckpoint(group: number): string | null {
    const newest = listCheckpoints(this.#folderOf(group)).at(-1)?.path;
    return newest !== undefined && statSync(newest).mtimeMs >= this.#context.began ? newest : null;
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
    return this.#context.groups.length === 1 ? folder : join(folder, `group-${group + 1}`);
  }
}
