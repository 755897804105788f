/** @file The executor that puts the parts of a sweep on a queue, from which workers take them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { notesTo } from '../../common/events.js';
import type { sweepOptions } from '../../options/sweep.js';
import type { ConfigOf } from '../../options/table.js';
import type { Executor } from '../executor.js';
import { PartStopped } from '../handlers.js';
import { isReady, isSettled, saveState, stateOf } from '../part-files.js';
import type { Part, SweepPlan } from '../plan.js';
import { sweepCounts, sweepStatus } from '../status.js';
import { addJobsAgain } from './jobs.js';
import type { JobData, NewJob } from './protocol.js';
import { full, isFull, openQueue, shownUrl } from './redis.js';

/** Milliseconds between two looks at the folder of a sweep that is waited for. */
const LOOK_EVERY = 1000;

/** Options of {@link queueExecutor}. */
export type QueueOptions = Required<
  Pick<ConfigOf<typeof sweepOptions.table>, 'queue' | 'queueName' | 'wait' | 'retries'>
>;

/** Parts that can begin now, as jobs. */
export const readyJobs = (plan: SweepPlan, parts: readonly Part[], retries: number): NewJob[] =>
  parts
    .filter((part) => stateOf(plan.outputDir, part.id)?.status !== 'done' && isReady(plan.outputDir, part))
    .map(({ id, kind }) => ({ folder: plan.outputDir, part: id, kind, retries }));

/** Whether nothing of a sweep can go on any more. */
function isOver(plan: SweepPlan, parts: readonly Part[]): boolean {
  return parts.every((part) => {
    const state = stateOf(plan.outputDir, part.id);
    if (isSettled(state)) return true;
    return state === undefined && !isReady(plan.outputDir, part) && !mayBecomeReady(plan, part);
  });
}

/** Whether what a part needs is done or may still be done. */
function mayBecomeReady(plan: SweepPlan, part: Part): boolean {
  return part.needs.every((id) => {
    const state = stateOf(plan.outputDir, id);
    if (isSettled(state)) return state!.status === 'done' || part.kind === 'choose';
    return mayBecomeReady(plan, plan.parts.find((other) => other.id === id)!);
  });
}

/**
 * Connects to the server of a queue.
 * @throws {UserError} when it is down, full, too old, or packages are missing
 */
export async function queueExecutor(options: QueueOptions): Promise<Executor> {
  const { queue, close } = await openQueue<JobData>(options.queue, options.queueName);
  return {
    async run(plan, parts, { onEvent, signal }) {
      const note = notesTo(onEvent);
      try {
        const jobs = readyJobs(plan, parts, options.retries);
        await addJobsAgain(queue, jobs);
        // what had failed for good is tried again
        for (const { part } of jobs) {
          const state = stateOf(plan.outputDir, part);
          if (state?.isFinal) saveState(plan.outputDir, part, { ...state, isFinal: false, killings: 0 });
        }
        note(
          `${jobs.length} ${jobs.length === 1 ? 'part' : 'parts'} on queue ${options.queueName} of ${shownUrl(options.queue)}; ` +
            `${parts.length - jobs.length} wait for others or are done`,
        );
        let shown = '';
        while (options.wait && !isOver(plan, parts)) {
          const counts = sweepCounts(sweepStatus(plan));
          if (counts !== shown) note(counts);
          shown = counts;
          await sleep(LOOK_EVERY, undefined, signal ? { signal } : {}).catch(() => {
            throw new PartStopped('not waiting any more; the runs go on: see arclab sweep status');
          });
        }
      } catch (error) {
        throw isFull(error) ? full(options.queue) : error;
      } finally {
        await close();
      }
    },
  };
}
