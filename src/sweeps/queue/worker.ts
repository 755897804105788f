/** @file A worker: takes parts of sweeps from a queue and runs them, until it is stopped. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { firstLineOf, UserError } from '../../common/errors.js';
import { type Hooks, notesTo } from '../../common/events.js';
import { buildFile } from '../../common/files.js';
import { InUseError } from '../../common/lock.js';
import { OptionError } from '../../common/option-names.js';
import { sweepWorkerOptions } from '../../options/sweep.js';
import type { OptionsOf } from '../../options/table.js';
import type { SweepEvent } from '../executor.js';
import { type Handlers, PartStopped, sweepHandlers } from '../handlers.js';
import { hasFailed, loadPlan, planPath, stateOf } from '../part-files.js';
import type { Part, SweepPlan } from '../plan.js';
import { runPart } from '../run-part.js';
import { readyJobs } from './executor.js';
import type { FromThread, JobData, NewJob, ThreadData, ToThread } from './protocol.js';
import { QUEUE_VARIABLE, queueAddress } from './redis.js';

/** Options of {@link sweepWorker}. */
export type SweepWorkerOptions = OptionsOf<typeof sweepWorkerOptions.table>;

/** Milliseconds before a part that another process runs is tried again. */
const LATER = 1000;

/** What a worker has done. */
export interface SweepWorkerResult {
  /** Parts that it has ended. */
  readonly parts: number;
}

/** The parts that wait for this one and can begin now. */
function nextOf(plan: SweepPlan, part: Part, retries: number): NewJob[] {
  return readyJobs(
    plan,
    plan.parts.filter(({ needs }) => needs.includes(part.id)),
    retries,
  );
}

/** What a job is about. @throws {UserError} when this machine does not see its folder */
function find({ folder, part: id }: JobData): { plan: SweepPlan; part: Part } {
  if (!existsSync(planPath(folder))) {
    throw new UserError(
      `${folder}: this machine does not see the folder of the sweep; a worker needs the same path`,
    );
  }
  const plan = loadPlan(folder);
  const part = plan.parts.find((candidate) => candidate.id === id);
  if (part === undefined) throw new UserError(`${folder}: the sweep has no part ${id} any more`);
  return { plan, part };
}

/**
 * Takes parts of sweeps from a queue and runs them one after the other, until the signal is aborted (a part that runs
 * then goes on in another worker from its checkpoint) or with `untilEmpty` nothing is left.
 * @param handlers what each kind of part does
 * @throws {UserError} when the server is down, full, too old, or packages are missing
 */
export async function sweepWorker(
  options: SweepWorkerOptions & Hooks<SweepEvent>,
  handlers: Handlers = sweepHandlers,
): Promise<SweepWorkerResult> {
  const { onEvent, signal, ...given } = options;
  const note = notesTo(onEvent);
  const o = sweepWorkerOptions.check(given, note);
  const url = queueAddress(o.queue);
  if (url === undefined) {
    throw new OptionError('queue', {
      hint: `it is missing: ${sweepWorkerOptions.table.queue.description}; or give it in ${QUEUE_VARIABLE}`,
    });
  }
  const machine = {
    ...(o.backend === undefined ? {} : { backend: o.backend }),
    ...(o.device === undefined ? {} : { device: o.device }),
  };
  const workerData: ThreadData = { url, queueName: o.queueName, lease: 1000 * o.lease };
  const thread = new Worker(buildFile('queue-thread.cjs'), { workerData });
  const say = (message: ToThread) => thread.postMessage(message);
  let parts = 0;

  const run = async ({
    key,
    data,
    retriesLeft,
    retries,
  }: Extract<FromThread, { type: 'job' }>): Promise<void> => {
    let found: ReturnType<typeof find> | undefined;
    try {
      found = find(data);
      const { plan, part } = found;
      onEvent?.({
        type: 'part',
        id: part.id,
        number: plan.parts.indexOf(part) + 1,
        total: plan.parts.length,
      });
      const result = await runPart(plan, part, {
        handlers,
        machine,
        onEvent,
        signal,
        retriesLeft,
        onProgress: (progress) => say({ type: 'progress', key, progress }),
        onLog: (text) => say({ type: 'log', key, text }),
      });
      parts++;
      say({ type: 'done', key, next: nextOf(plan, part, retries), result });
    } catch (error) {
      if (error instanceof InUseError || error instanceof PartStopped || signal?.aborted) {
        say({ type: 'later', key, milliseconds: error instanceof InUseError ? LATER : 0 });
        return;
      }
      const message = firstLineOf(error);
      const isFinal = retriesLeft <= 0 || (found && hasFailed(stateOf(data.folder, data.part))) === true;
      note(`${data.part}: failed${isFinal ? '' : ', to be tried again'}: ${message}`);
      // a choice goes on without what has failed for good
      const next = found && isFinal ? nextOf(found.plan, found.part, retries) : [];
      say({ type: 'failed', key, message, isFinal, next });
    }
  };

  return new Promise<SweepWorkerResult>((resolve, reject) => {
    let isClosing = false;
    let isRunning = false;
    const close = () => {
      if (isClosing) return;
      isClosing = true;
      say({ type: 'close' });
    };
    signal?.addEventListener('abort', close, { once: true });
    thread.on('message', (message: FromThread) => {
      switch (message.type) {
        case 'ready':
          note(`waiting for runs on queue ${o.queueName}`);
          break;
        case 'job':
          isRunning = true;
          void run(message).finally(() => {
            isRunning = false;
          });
          break;
        case 'empty':
          if (o.untilEmpty && !isRunning) close();
          break;
        case 'note':
          note(message.text);
          break;
        case 'broken':
          void thread.terminate();
          reject(new UserError(message.message));
      }
    });
    thread.once('error', reject);
    thread.once('exit', () => {
      signal?.removeEventListener('abort', close);
      resolve({ parts });
    });
  });
}
