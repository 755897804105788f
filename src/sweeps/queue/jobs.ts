/** @file The parts of a sweep as jobs of BullMQ. */
import type { Queue } from 'bullmq';
import { fingerprintOf } from '../../common/fingerprint.js';
import type { JobData, NewJob } from './protocol.js';

/** Milliseconds before a part that failed is tried again. */
const BACKOFF = 1000;

/** The name of a job, the same for the same part: it is in the queue once, whoever adds it. */
const jobIdOf = ({ folder, part }: JobData): string => `${fingerprintOf([folder]).slice(0, 8)}-${part}`;

const jobOf = ({ folder, part, kind, retries }: NewJob) => ({
  name: kind,
  data: { folder, part } satisfies JobData,
  opts: {
    jobId: jobIdOf({ folder, part }),
    attempts: retries + 1,
    backoff: { type: 'fixed' as const, delay: BACKOFF },
  },
});

/** Adds jobs; those that are in the queue already stay as they are. */
export async function addJobs(queue: Queue, jobs: readonly NewJob[]): Promise<void> {
  if (jobs.length > 0) await queue.addBulk(jobs.map(jobOf));
}

/** Adds jobs, those that have failed or whose results are gone anew. */
export async function addJobsAgain(queue: Queue, jobs: readonly NewJob[]): Promise<void> {
  for (const job of jobs) {
    const known = await queue.getJob(jobIdOf(job));
    const state = await known?.getState();
    if (state === 'failed' || state === 'completed') await known!.remove();
  }
  await addJobs(queue, jobs);
}
