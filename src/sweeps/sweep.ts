/** Sweeps: many runs of one description, on this machine or on all that take runs from a queue. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../common/errors.js';
import { type Hooks, notesTo } from '../common/events.js';
import { assertWritableFolder } from '../common/files.js';
import { OptionError } from '../common/option-names.js';
import { sweepOptions, type sweepStatusOptions } from '../options/sweep.js';
import type { OptionsOf } from '../options/table.js';
import { checkDescription, readDescription, type SweepDescription } from './description.js';
import type { Executor, SweepEvent } from './executor.js';
import { localExecutor } from './local.js';
import { loadPlan, planPath, savePlan } from './part-files.js';
import { planSweep, type SweepPlan } from './plan.js';
import { queueExecutor } from './queue/executor.js';
import { queueAddress } from './queue/redis.js';
import { partsOfShard, shardOf } from './shard.js';
import { type SweepRunStatus, sweepStatus as statusOfPlan } from './status.js';

/** Options of {@link sweep}: the description is a file, or a value. */
export type SweepOptions = Omit<OptionsOf<typeof sweepOptions.table>, 'file'> & {
  file?: string | undefined;
  description?: SweepDescription | undefined;
};

/** How a program follows a sweep and stops it: the same call goes on. */
export type SweepHooks = Hooks<SweepEvent>;

/** What a sweep has come to. */
export interface SweepResult {
  readonly plan: SweepPlan;
  readonly runs: readonly SweepRunStatus[];
}

function describe(file: string | undefined, description: SweepDescription | undefined) {
  if (file !== undefined && description !== undefined) {
    throw new OptionError('description', { hint: 'it stands in place of `file`; give one of the two' });
  }
  if (description === undefined) return { described: readDescription(file!), where: file! };
  return {
    described: checkDescription(description, 'the description', process.cwd()),
    where: 'the description',
  };
}

/**
 * Runs a sweep. Everything in the description is checked before anything starts. What is done is not done again: a
 * sweep that was killed goes on from its last checkpoints, and one whose description has grown runs what is new.
 * @throws {UserError} for every mistake in the description, its files, or the queue
 * @throws {OptionError} for an option of the queue without one
 */
export async function sweep(options: SweepOptions & SweepHooks, executor?: Executor): Promise<SweepResult> {
  const { onEvent, signal, description, ...rest } = options;
  const given = description === undefined ? rest : { file: 'the description', ...rest };
  const checked = sweepOptions.check(given, notesTo(onEvent));
  const o = { ...checked, queue: queueAddress(checked.queue) };
  const ofQueue = (['queueName', 'wait', 'retries'] as const).find((name) => rest[name] !== undefined);
  if (o.queue === undefined && executor === undefined && ofQueue) {
    throw new OptionError(ofQueue, { hint: 'it needs `queue`' });
  }
  const { described, where } = describe(rest.file, description);
  const plan = planSweep(described, where);
  const parts = partsOfShard(plan, shardOf(o.shard));
  assertWritableFolder(plan.outputDir, `${where}: outputDir`);
  const doing =
    executor ?? (o.queue === undefined ? localExecutor() : await queueExecutor({ ...o, queue: o.queue }));
  savePlan(plan);
  await doing.run(plan, parts, { onEvent, signal });
  const shown = new Set(parts.map(({ id }) => id));
  return { plan, runs: statusOfPlan(plan).filter(({ run }) => shown.has(run.training)) };
}

/** Options of {@link sweepStatus}. */
export type SweepStatusOptions = Pick<OptionsOf<typeof sweepStatusOptions.table>, 'file'>;

/** The output folder of a sweep, by its description or by itself. @throws {UserError} when there is none */
function sweepFolder(file: string): string {
  if (existsSync(planPath(file))) return resolve(file);
  if (!existsSync(file))
    throw new UserError(`${file}: expected the description or the folder of a sweep, found nothing`);
  if (statSync(file).isDirectory()) {
    throw new UserError(
      `${file}: expected the folder of a sweep, found no ${planPath('.').replace(/^\.\//, '')} in it`,
    );
  }
  const { outputDir } = readDescription(file);
  if (existsSync(planPath(outputDir))) return outputDir;
  throw new UserError(`${file}: the sweep was not started yet: there is nothing in ${outputDir}`);
}

/** How far the runs of a sweep are, wherever they run. @throws {UserError} when there is no such sweep */
export function sweepStatus({ file }: SweepStatusOptions): SweepResult {
  const plan = loadPlan(sweepFolder(file));
  return { plan, runs: statusOfPlan(plan) };
}
