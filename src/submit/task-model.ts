/**
 * @file The model of a child process: the base is loaded once, and its adapter comes and goes in memory, the given one
 * and those of tasks that are fine-tuned on.
 */
import { existsSync, rmSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Task } from '../arc/types.js';
import { messageOf } from '../common/errors.js';
import {
  type AdapterState,
  attachAdapter,
  type Decoder,
  detachAdapter,
  readAdapter,
  resolveModel,
  saveAdapterWhole,
} from '../models/index.js';
import { attach } from '../session/attach.js';
import type { PromptSession } from '../session/prompts.js';
import type { TaskTuningConfig } from '../session/task-samples.js';
import { freshAdapter, TaskTuner } from '../session/task-tuning.js';
import type { TrainingPrompts } from '../training/sample-source.js';
import type { StepReport } from '../training/trainer.js';
import type { TuningReport } from './protocol.js';

/** Bytes that stay free on the disk when an adapter is kept: the submission has to be written, too. */
const DISK_RESERVE = 2e9;

/** How a task is fine-tuned on. */
export interface AdaptOptions {
  /** How long it may take; 0 = not at all. */
  readonly seconds: number;
  /** Where the adapter of an earlier turn may be, and whether it is kept there for a later one. */
  readonly folder: string;
  readonly keep: boolean;
  onStep(report: StepReport): void;
  onNote(text: string): void;
}

const NO_STEPS = { steps: 0, part: 0, loss: null } as const;

/** A base with the adapter that is in use. */
export class TaskModel {
  readonly #session: PromptSession;
  readonly #prompts: TrainingPrompts;
  readonly #tuning: TaskTuningConfig | undefined;
  #decoder: Decoder | undefined;
  #tuner: TaskTuner | undefined;
  /** Whether tasks begin with an adapter that was given, and not with a fresh one. */
  #isGiven = false;
  /** What tasks begin with; undefined before the first needs a fresh one. */
  #start: AdapterState | undefined;

  constructor(session: PromptSession, prompts: TrainingPrompts, tuning: TaskTuningConfig | undefined) {
    this.#session = session;
    this.#prompts = prompts;
    this.#tuning = tuning;
  }

  /** The most steps of a task. */
  get maxSteps(): number {
    return this.#tuning?.maxSteps ?? 0;
  }

  get decoder(): Decoder {
    return this.#decoder!;
  }

  /** Takes an adapter, or none. @throws {UserError} when it does not fit; the base is then as it was loaded */
  async load(adapterPath: string | null): Promise<void> {
    this.#decoder ??= await this.#session.loadDecoder();
    const decoder = this.#decoder;
    detachAdapter(decoder);
    this.#start = undefined;
    this.#isGiven = adapterPath !== null;
    if (adapterPath === null) return;
    const state = readAdapter(await resolveModel(adapterPath), decoder.adapterBase());
    // an adapter that every task begins with cannot be part of the weights
    if (this.#tuning === undefined) await attachAdapter(decoder, state, { merge: 'replace' });
    else this.#start = state;
  }

  /** Fine-tunes on a task from the adapter that was loaded, or a fresh one, and takes what it became. */
  async adapt(task: readonly [string, Task], options: AdaptOptions): Promise<TuningReport> {
    const { decoder } = this;
    const { seconds, onNote } = options;
    // what was learnt from an adapter that was given up is not for the base
    const folder = this.#isGiven ? options.folder : `${options.folder}-base`;
    if (existsSync(folder)) {
      try {
        await attach(decoder, readAdapter(folder, decoder.adapterBase()), onNote);
        return { ...NO_STEPS, stopped: 'kept' };
      } catch (error) {
        onNote(`${folder}: this adapter cannot be used and is made anew: ${messageOf(error)}`);
        rmSync(folder, { recursive: true, force: true });
      }
    }
    if (seconds <= 0) {
      await attach(decoder, this.#start, onNote);
      return { ...NO_STEPS, stopped: 'time' };
    }
    const tuning = this.#tuning!;
    this.#start ??= await freshAdapter(decoder, tuning);
    this.#tuner ??= new TaskTuner(decoder, this.#prompts, tuning);
    const end = performance.now() / 1000 + seconds;
    const { adapter, steps, loss, stopped } = await this.#tuner.tune(this.#start, task, {
      onStep: options.onStep,
      secondsLeft: () => end - performance.now() / 1000,
    });
    if (options.keep && steps > 0) await keep(decoder, folder, onNote);
    await attach(decoder, adapter, onNote);
    return { steps, part: steps / tuning.maxSteps, loss, ...(stopped === undefined ? {} : { stopped }) };
  }
}

/** Writes the adapter that a decoder has on top into a folder, unless the disk is nearly full. */
async function keep(decoder: Decoder, folder: string, onNote: (text: string) => void): Promise<void> {
  try {
    const { bavail, bsize } = statfsSync(dirname(dirname(folder)));
    const variables = [...decoder.trainableVariables().values()];
    const bytes = variables.reduce((sum, { size }) => sum + 4 * size, 0);
    if (bavail * bsize - bytes >= DISK_RESERVE) await saveAdapterWhole(decoder, folder);
  } catch (error) {
    // it is made again when it is needed
    onNote(`${folder}: the adapter is not kept: ${messageOf(error)}`);
  }
}
