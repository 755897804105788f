import { join } from 'node:path';
import type { Clock } from '../common/clock.js';
import { listCheckpoints } from '../training/checkpoints.js';
import type { SubmitLedger } from './submit-ledger.js';
import type { Slot, TaskGroup } from './submit-predict.js';
import type { SubmitWorker } from './submit-process.js';
import type { TestTimeFineTuneOptions } from './test-time-fine-tune.js';

/** Where the fine-tuning of a submission is, for a progress bar. */
export interface FineTuneProgress {
  readonly group: number;
  readonly groups: number;
  readonly step: number;
  readonly maxSteps: number;
  readonly loss: number;
}

/** What {@link fineTuneGroups} needs. */
export interface FineTuneGroupsOptions {
  readonly groups: readonly TaskGroup[];
  readonly slots: readonly Slot[];
  readonly start: (slot: Slot) => Promise<SubmitWorker>;
  /** Everything but the tasks and the folder. */
  readonly options: Omit<TestTimeFineTuneOptions, 'taskIds' | 'outputDir'>;
  readonly outputDir: string;
  /** For all groups together; Infinity = all steps. */
  readonly seconds: number;
  readonly ledger: Pick<SubmitLedger, 'fail'>;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly onNote: (text: string) => void;
  readonly onProgress: (progress: FineTuneProgress) => void;
}

/** A fine-tuning that has not ended by itself so much later is ended, and its newest checkpoint is taken. */
const GRACE = { part: 0.1, seconds: 10 };

/**
 * Fine-tunes each group on its own tasks, one process for each slot at a time.
 * @returns the groups, each with its new adapter in front of those it had. A group whose fine-tuning failed
 * keeps what it had, and gets the newest checkpoint where there is one.
 */
export async function fineTuneGroups(o: FineTuneGroupsOptions): Promise<TaskGroup[]> {
  const result = [...o.groups];
  const waiting = o.groups.map((_, index) => index);
  const turns = Math.ceil(o.groups.length / o.slots.length);
  const serve = async (slot: Slot) => {
    for (let index = waiting.shift(); index !== undefined && !o.signal.aborted; index = waiting.shift()) {
      const adapter = await fineTuneGroup(o, slot, index, o.seconds / turns);
      const { taskIds, adapters } = o.groups[index]!;
      if (adapter !== null) result[index] = { taskIds, adapters: [adapter, ...adapters] };
    }
  };
  const stopped = new Promise<void>((resolve) => {
    o.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  // nobody waits for a process that hangs while it starts
  await Promise.race([Promise.all(o.slots.map(serve)), stopped]);
  return result;
}

async function fineTuneGroup(
  o: FineTuneGroupsOptions,
  slot: Slot,
  index: number,
  seconds: number,
): Promise<string | null> {
  const { taskIds } = o.groups[index]!;
  const outputDir = o.groups.length === 1 ? o.outputDir : join(o.outputDir, `group-${index + 1}`);
  let worker: SubmitWorker | undefined;
  const kill = (reason: string) => worker?.kill(reason);
  const onAbort = () => kill('the submission ends');
  o.signal.addEventListener('abort', onAbort, { once: true });
  const limit = seconds + Math.max(GRACE.seconds, GRACE.part * seconds);
  const cancel =
    seconds === Number.POSITIVE_INFINITY
      ? () => {}
      : o.clock.after(limit, () => kill(`it had not ended ${Math.round(limit)} s after its start`));
  try {
    worker = await o.start(slot);
    if (o.signal.aborted) return null;
    const { checkpoint } = await worker.request(
      { type: 'fine-tune', seconds, options: { ...o.options, taskIds: [...taskIds], outputDir } },
      (reply) => {
        if (reply.type === 'note') o.onNote(reply.text);
        if (reply.type === 'step') {
          const { step, maxSteps, loss } = reply;
          o.onProgress({ group: index + 1, groups: o.groups.length, step, maxSteps, loss });
        }
      },
    );
    return checkpoint ?? null;
  } catch (error) {
    if (o.signal.aborted) return null;
    const newest = listCheckpoints(outputDir).at(-1)?.path ?? null;
    const { message } = error as Error;
    o.ledger.fail({ stage: 'fine-tune', message });
    o.onNote(`fine-tuning failed: ${message}${newest ? `; ${newest} is taken` : ''}`);
    return newest;
  } finally {
    cancel();
    o.signal.removeEventListener('abort', onAbort);
    worker?.kill('its work is done');
  }
}
