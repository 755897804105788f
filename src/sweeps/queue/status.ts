/** @file What of sweeps is on a queue, as Redis says. */

import type { JobData } from './protocol.js';
import { openQueue } from './redis.js';

/** How much of a queue is in each state, and what runs or has failed there. */
export interface QueueStatus {
  readonly counts: Readonly<Record<string, number>>;
  readonly jobs: readonly {
    readonly part: string;
    readonly folder: string;
    readonly state: 'active' | 'failed';
    readonly attempts: number;
    readonly progress: unknown;
    readonly error?: string;
  }[];
}

/** Asks a server what is on a queue. @throws {UserError} when it is down, full, too old, or packages are missing */
export async function queueStatus(url: string, queueName: string): Promise<QueueStatus> {
  const { queue, close } = await openQueue<JobData>(url, queueName);
  try {
    const counts = await queue.getJobCounts('wait', 'active', 'delayed', 'completed', 'failed');
    const jobs = [];
    for (const state of ['active', 'failed'] as const) {
      for (const job of await queue.getJobs([state])) {
        const { data, attemptsMade: attempts, progress, failedReason } = job;
        jobs.push({ ...data, state, attempts, progress, ...(failedReason ? { error: failedReason } : {}) });
      }
    }
    return { counts, jobs };
  } finally {
    await close();
  }
}
