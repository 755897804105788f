/** @file What follows from the time budget: when a submission gives something up, and whether there is time at all. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../common/errors.js';
import type { DecoderConfig } from '../models/index.js';
import { modelShapes } from '../models/weights.js';
import { policyTable } from '../options/submit.js';
import { type ConfigOf, pick } from '../options/table.js';
import { backendOf, type SubmitConfig } from './options.js';
import type { Plan } from './plan.js';
import type { WorkerSlot } from './slots.js';

/** When to give up. Times are those of the loop's clock, in seconds. */
export interface Policy extends Omit<ConfigOf<typeof policyTable>, 'stallTimeout' | 'taskTimeLimit'> {
  /** When everything ends; Infinity without a time budget. */
  readonly deadline: number;
  /** A process that is silent for so long is ended. */
  readonly stallTimeout: number;
  /** How long the fine-tuning of all groups may take; 0 = there is none, Infinity = as long as all steps take. */
  readonly tuningSeconds: number;
  /** By how much the fine-tuning of a group may exceed its share before its process is ended. */
  readonly tuningGrace: number;
  /** The part of the time that the fine-tuning of tasks may take together, and the most for one task. */
  readonly tuningShare: number;
  readonly taskTimeLimit: number;
}

/** A number that depends on the time budget: so much of it, within bounds, in seconds. */
const partOf = (seconds: number, part: number, least: number, most: number): number =>
  Math.max(least, Math.min(most, part * seconds));

/** Seconds that are kept at the end, for ending the processes and writing the files. */
const reservedTime = ({ reservedTime, timeBudget = Number.POSITIVE_INFINITY }: SubmitConfig): number =>
  reservedTime ?? partOf(timeBudget, 0.02, 1, 60);

/** So many times its equal share of the time a task may take before it comes after all others. */
const MOST_SHARES = 8;

/** What the dispatch of work needs to know of time, for a submission that began at `start`. */
export function policyOf(
  config: SubmitConfig,
  start: number,
  now: number,
  { tasks, processes }: { tasks: number; processes: number },
): Policy {
  const { timeBudget = Number.POSITIVE_INFINITY, fineTuneSteps, fineTunePerTask, fineTuneShare } = config;
  const tuningSeconds =
    fineTuneSteps === 0 || fineTunePerTask ? 0 : Math.max(0, start + fineTuneShare * timeBudget - now);
  return {
    ...pick(config, policyTable),
    deadline: start + timeBudget - reservedTime(config),
    // loading a large model from a slow disk gives no sign of life for minutes
    stallTimeout: config.stallTimeout ?? partOf(timeBudget, 0.2, 20, 600),
    tuningSeconds,
    tuningShare: fineTuneShare,
    taskTimeLimit: config.taskTimeLimit ?? (MOST_SHARES * timeBudget * processes) / Math.max(1, tasks),
    tuningGrace: config.fineTuneGrace ?? partOf(tuningSeconds, 0.1, 10, Number.POSITIVE_INFINITY),
  };
}

/** Starting a process and reading weights, on a machine that is not fast: an estimate, for an early error. */
const LOADING = { seconds: 2, bytesPerSecond: 250e6 };

/**
 * Makes sure that a time budget is longer than loading the model takes, by an estimate from the size of its files.
 * @throws {UserError} when not
 */
export function checkTimeBudget(config: SubmitConfig, folder: string): void {
  const { timeBudget, fineTuneSteps, fineTunePerTask, fineTuneShare } = config;
  if (timeBudget === undefined) return;
  const weights = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.safetensors'))
    : [];
  const bytes = weights.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const loading = LOADING.seconds + bytes / LOADING.bytesPerSecond;
  // tasks that are fine-tuned on one by one need no second process
  const loadsTwice = fineTuneSteps > 0 && !fineTunePerTask;
  const part = loadsTwice ? Math.min(fineTuneShare, 1 - fineTuneShare) : 1;
  const least = Math.ceil(loading / part + reservedTime(config));
  if (timeBudget >= least) return;
  throw new UserError(
    `\`timeBudget: ${timeBudget}s\`: expected at least ${least}s: loading the model from ${folder} ` +
      `${loadsTwice ? 'for fine-tuning and for predictions ' : ''}takes about that long`,
  );
}

/** What no processor exceeds, in FLOP/s: a GPU, and a core. */
const MOST_SPEED = { gpu: 1e15, core: 1e11 };

/**
 * Makes sure that a time budget is longer than the cheapest task needs for its first predictions, with one step of its
 * fine-tuning where it has one, on a processor faster than there are.
 * @throws {UserError} when not
 */
export function checkTaskBudget(
  config: SubmitConfig,
  { chunks }: Pick<Plan, 'chunks'>,
  model: DecoderConfig,
  slots: readonly WorkerSlot[],
): void {
  const { timeBudget, fineTuneSteps } = config;
  const costs = chunks.flatMap(({ turn, taskId, tokens: { tune, prompt, answer } }) =>
    turn === 0 && taskId !== undefined ? [4 * (tune / fineTuneSteps) + 2 * (prompt + answer)] : [],
  );
  if (timeBudget === undefined || costs.length === 0) return;
  // where nothing is said a backend takes a GPU if there is one
  const isOnGpu =
    backendOf(config)?.takesDevice !== undefined && slots.some(({ device }) => device !== 'cpu');
  const { projections } = modelShapes(model);
  const multiplied = [...projections.values()].reduce((sum, [out, input]) => sum + out * input, 0);
  const speed = isOnGpu ? MOST_SPEED.gpu : MOST_SPEED.core * availableParallelism();
  const least = Math.ceil((Math.min(...costs) * multiplied) / speed);
  if (timeBudget >= least) return;
  throw new UserError(
    `\`timeBudget: ${timeBudget}s\`: expected at least ${least}s: one step and the first predictions of the cheapest ` +
      'task take longer, however fast the processor is; use a smaller model, or leave `fineTunePerTask` out',
  );
}
