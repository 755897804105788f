/**
 * 1,000 parts of 100 ms through a queue on a real Redis, with 4 workers of which 10 are killed, beside the same parts in
 * one process: each result exactly once, and what the queue costs for each part.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { localExecutor } from '../../src/sweeps/local.js';
import { queueExecutor } from '../../src/sweeps/queue/executor.js';
import { RedisServer } from '../sweeps/redis.js';
import { countEnds, killSometimes, TinyWorkers, tinyPlan } from '../sweeps/tiny-sweep.js';
import { row } from './report.js';

const PARTS = 1000;
const MILLISECONDS = 100;
const WORKERS = 4;
const KILLS = 10;
/** Of the same parts in one process, which need no more to be timed. */
const ALONE = 50;

const secondsOf = async (run: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
};

export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-bench-sweep-'));
  const redis = await RedisServer.start(process.env.ARCLAB_REDIS_SERVER ?? 'redis-server');
  try {
    const alone = tinyPlan(join(folder, 'alone'), ALONE, MILLISECONDS);
    const handlers = { tiny: () => sleep(MILLISECONDS).then(() => ({})) };
    const perPart = (await secondsOf(() => localExecutor(handlers).run(alone, alone.parts, {}))) / ALONE;
    row('one process, no queue', `${(1000 * perPart).toFixed(0)} ms a part`);

    const plan = tinyPlan(join(folder, 'queue'), PARTS, MILLISECONDS);
    const executor = await queueExecutor({ queue: redis.url, queueName: 'arclab', wait: false, retries: 20 });
    await executor.run(plan, plan.parts, {});
    let workers: TinyWorkers | undefined;
    const seconds = await secondsOf(async () => {
      workers = new TinyWorkers(redis.url, 5, WORKERS);
      await killSometimes(plan, workers, KILLS);
      await workers.ended();
    });
    const { done, twice } = countEnds(plan);
    row(
      `queue, ${WORKERS} workers, ${workers!.kills} SIGKILLs`,
      `${seconds.toFixed(0)} s`,
      `${((1000 * seconds * WORKERS) / PARTS).toFixed(0)} ms a part`,
      `×${((perPart * PARTS) / seconds).toFixed(2)}`,
    );
    row('results', `${done} of ${PARTS}`, `${twice.length} twice`);
    if (done !== PARTS || twice.length > 0) throw new Error('a result is missing, or came twice');
  } finally {
    await redis.remove();
    rmSync(folder, { recursive: true });
  }
}
