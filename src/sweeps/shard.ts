/** @file A part of the runs for each task of an array of a scheduler. */
import { OptionError } from '../common/option-names.js';
import type { Part, SweepPlan } from './plan.js';

/** The i-th of n, from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/**
 * Reads `2/8`; without it, the place in the array of Slurm that this process is a task of.
 * @throws {OptionError} for another text, or an array that does not begin at 0 or 1 and count by one
 */
export function shardOf(text: string | undefined, environment = process.env): Shard | undefined {
  if (text !== undefined) {
    const [, i, n] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
    const [index, count] = [Number(i), Number(n)];
    if (index >= 1 && index <= count) return { index, count };
    throw new OptionError('shard', { expected: 'i/n with i from 1 to n, such as 2/8', found: text });
  }
  const of = (name: string) => {
    const value = environment[name];
    return value === undefined || value === '' ? undefined : Number(value);
  };
  const [id, count, min = 0, step = 1] = [
    of('SLURM_ARRAY_TASK_ID'),
    of('SLURM_ARRAY_TASK_COUNT'),
    of('SLURM_ARRAY_TASK_MIN'),
    of('SLURM_ARRAY_TASK_STEP'),
  ];
  if (id === undefined || count === undefined) return undefined;
  const index = (id - min) / step + 1;
  if (Number.isInteger(index) && index >= 1 && index <= count) return { index, count };
  throw new OptionError('shard', {
    hint: `SLURM_ARRAY_TASK_ID ${id} does not fit an array of ${count} from ${min}; give the option`,
  });
}

/**
 * The parts of a shard: runs that need each other stay together.
 * @throws {OptionError} for a sweep whose runs wait for each other
 */
export function partsOfShard(plan: SweepPlan, shard: Shard | undefined): readonly Part[] {
  if (shard === undefined) return plan.parts;
  if (plan.parts.some(({ kind }) => kind === 'choose')) {
    throw new OptionError('shard', {
      hint: 'with halving the runs wait for each other, and the tasks of an array may not run at the same time; use `queue`',
    });
  }
  const group = new Map<string, string>();
  for (const { id, needs } of plan.parts) group.set(id, needs[0] === undefined ? id : group.get(needs[0])!);
  const groups = [...new Set(group.values())];
  const own = new Set(groups.filter((_, i) => i % shard.count === shard.index - 1));
  return plan.parts.filter(({ id }) => own.has(group.get(id)!));
}
