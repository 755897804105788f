/**
 * @file The thread of a worker: takes jobs from the queue and renews their leases, whatever the main thread is busy
 * with: loading a model or a long step keep that for minutes. It ends with its process, so that a worker that is
 * killed renews nothing.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Job } from 'bullmq';
import { messageOf } from '../../common/errors.js';
import { addJobs } from './jobs.js';
import type { FromThread, JobData, ThreadData, ToThread } from './protocol.js';
import { isFull, openQueue, shownUrl } from './redis.js';

/** Milliseconds between two looks at whether the queue is empty. */
const LOOK_EVERY = 500;

/** Seconds that one request waits for a job. */
const POLL = 1;

const tell = (message: FromThread): void => parentPort!.postMessage(message);

/** How the main thread ended a job. */
type Ending = Extract<ToThread, { type: 'done' | 'failed' | 'later' }>;

async function main({ url, queueName, lease }: ThreadData): Promise<void> {
  const { packages, redis, queue, close: closeQueue } = await openQueue<JobData>(url, queueName);
  const { bullmq } = packages;
  const running = new Map<string, { job: Job; end: (ending: Ending) => void }>();

  const work = async (job: Job<JobData>, token?: string): Promise<object> => {
    const key = job.id!;
    const ending = await new Promise<Ending>((end) => {
      running.set(key, { job, end });
      const attempts = job.opts.attempts ?? 1;
      tell({
        type: 'job',
        key,
        data: job.data,
        retriesLeft: attempts - 1 - job.attemptsMade,
        retries: attempts - 1,
      });
    });
    running.delete(key);
    if (ending.type === 'later') {
      await job.moveToDelayed(Date.now() + ending.milliseconds, token);
      throw new bullmq.DelayedError();
    }
    await addJobs(queue, ending.next);
    if (ending.type === 'failed') {
      const Failure = ending.isFinal ? bullmq.UnrecoverableError : Error;
      throw new Failure(ending.message);
    }
    return ending.result;
  };

  const worker = new bullmq.Worker<JobData>(queueName, work, {
    connection: redis.duplicate({ maxRetriesPerRequest: null }),
    concurrency: 1,
    lockDuration: lease,
    stalledInterval: lease,
    // workers that died are counted in the folder of the sweep; a lease that is lost is not a failure of the part
    maxStalledCount: 1000,
    drainDelay: POLL,
  });

  let isGone = false;
  const onError = (error: unknown) => {
    if (isFull(error))
      tell({ type: 'note', text: `${shownUrl(url)}: Redis is full (maxmemory): waiting for room` });
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (isGone || !/^E(CONN|PIPE|HOST|TIMEDOUT)/.test(code)) return;
    isGone = true;
    tell({ type: 'note', text: `${shownUrl(url)}: Redis is gone (${code}): waiting for it` });
  };
  worker.on('error', onError);
  queue.on('error', onError);
  worker.on('active', () => {
    isGone = false;
  });

  let isClosing = false;
  parentPort!.on('message', (message: ToThread) => {
    if (message.type === 'close') {
      isClosing = true;
      void close();
      return;
    }
    const entry = running.get(message.key);
    if (entry === undefined) return;
    if (message.type === 'progress') entry.job.updateProgress({ ...message.progress }).catch(onError);
    else if (message.type === 'log') entry.job.log(message.text).catch(onError);
    else entry.end(message);
  });

  const close = async () => {
    await worker.close();
    await closeQueue();
    process.exit(0); // of this thread
  };

  await worker.waitUntilReady();
  tell({ type: 'ready' });
  let looking = false;
  setInterval(async () => {
    if (looking || isClosing || running.size > 0) return;
    looking = true;
    try {
      const counts = await queue.getJobCounts('wait', 'active', 'delayed', 'prioritized');
      if (Object.values(counts).every((count) => count === 0)) tell({ type: 'empty' });
    } catch (error) {
      onError(error);
    } finally {
      looking = false;
    }
  }, LOOK_EVERY).unref();
}

main(workerData).catch((error) => tell({ type: 'broken', message: messageOf(error) }));
