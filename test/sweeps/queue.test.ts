/** Sweeps on a real Redis: every result once, whoever is killed, and one clear line where there is no queue to be had. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { buildFile, packageRoot } from '../../src/common/files.js';
import { Rng } from '../../src/common/rng.js';
import { stateOf } from '../../src/sweeps/part-files.js';
import { queueExecutor } from '../../src/sweeps/queue/executor.js';
import { shownUrl } from '../../src/sweeps/queue/redis.js';
import { queueStatus } from '../../src/sweeps/queue/status.js';
import { sweepStatus } from '../../src/sweeps/sweep.js';
import { launch } from '../e2e/launch.js';
import { programUnderTest } from '../prerequisites/index.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';
import { freePort, RedisServer } from './redis.js';
import { countEnds, killSometimes, TinyWorkers, tinyPlan } from './tiny-sweep.js';

let program: string | undefined;
let kept = '';

beforeAll(() => {
  kept = mkdtempSync(join(tmpdir(), 'arclab-queue-'));
  writeTinyModel(join(kept, 'model'));
  writeTasks(join(kept, 'train.json'), recolourTasks(6));
});
afterAll(() => rmSync(kept, { recursive: true }));

/** A server for one test; undefined, and reported, where there is none. */
async function redisFor(...options: string[]): Promise<RedisServer | undefined> {
  program = programUnderTest('redis-server');
  if (program === undefined) return undefined;
  const server = await RedisServer.start(program, ...options);
  onTestFinished(() => server.remove());
  return server;
}

/** Puts the parts of a plan on the queue. */
async function enqueue(plan: ReturnType<typeof tinyPlan>, queue: string): Promise<void> {
  const executor = await queueExecutor({ queue, queueName: 'arclab', wait: false, retries: 20 });
  await executor.run(plan, plan.parts, {});
}

test('100 parts, 4 workers, 10 SIGKILLs: each result exactly once', async () => {
  const redis = await redisFor();
  if (!redis) return;
  const plan = tinyPlan(join(temporaryFolder(), 'sweep'), 100, 150);
  await enqueue(plan, redis.url);
  const workers = new TinyWorkers(redis.url, 2, 4);
  await killSometimes(plan, workers, 10);
  await workers.ended();
  expect(workers.errors).toBe('');
  expect(countEnds(plan)).toEqual({ done: 100, twice: [] });
  const { counts } = await queueStatus(redis.url, 'arclab');
  expect(counts).toEqual({ wait: 0, active: 0, delayed: 0, completed: 100, failed: 0 });
}, 120_000);

test('a part whose workers die is not tried for ever: deaths count as failures do', async () => {
  const redis = await redisFor();
  if (!redis) return;
  const plan = tinyPlan(join(temporaryFolder(), 'sweep'), 1, 60_000);
  const executor = () => queueExecutor({ queue: redis.url, queueName: 'arclab', wait: false, retries: 1 });
  await (await executor()).run(plan, plan.parts, {});
  const [part] = plan.parts;
  const state = () => stateOf(plan.outputDir, part!.id);
  const workers = new TinyWorkers(redis.url, 1, 1);
  for (const attempts of [1, 2]) {
    while (state()?.status !== 'running' || state()?.attempts !== attempts) await sleep(20);
    workers.kill(Rng.of(0));
  }
  await workers.ended();
  expect(state()).toMatchObject({ status: 'failed', isFinal: true, attempts: 2, killings: 2 });
  expect(state()!.error).toMatch(/^not tried again: 2 workers died in it, the last on /);
  expect((await queueStatus(redis.url, 'arclab')).counts).toMatchObject({ failed: 1, wait: 0, delayed: 0 });
  // whoever puts it there again has it tried again
  await (await executor()).run(plan, plan.parts, {});
  expect(state()).toMatchObject({ isFinal: false, killings: 0 });
}, 60_000);

test('Redis is killed in the middle and started again from its append-only file: each result exactly once', async () => {
  const redis = await redisFor();
  if (!redis) return;
  const plan = tinyPlan(join(temporaryFolder(), 'sweep'), 40, 150);
  await enqueue(plan, redis.url);
  const workers = new TinyWorkers(redis.url, 2, 2);
  while (countEnds(plan).done < 10) await sleep(50);
  await redis.stop('SIGKILL');
  await sleep(1000);
  await redis.start();
  while (countEnds(plan).done < 25) await sleep(50);
  await redis.stop('SIGTERM');
  await redis.start();
  await workers.ended();
  expect(countEnds(plan)).toEqual({ done: 40, twice: [] });
}, 120_000);

test('a training whose worker is killed goes on in another one from its checkpoint', async () => {
  const redis = await redisFor();
  if (!redis) return;
  const file = join(kept, 'sweep.json');
  const fineTune = {
    modelPath: join(kept, 'model'),
    trainDatasets: [[join(kept, 'train.json'), 'output-from-examples-mini']],
    valDataset: [[join(kept, 'train.json'), 'output-from-examples-mini']],
    gridEncoder: 'MinimalGridEncoder()',
    maxSteps: 60,
    saveSteps: 1,
    loggingSteps: 1,
    batchSize: 4,
    maxSeqLen: 512,
    workers: 0,
    lora: { r: 2 },
  };
  const inferEvaluate = { predictionsPerTask: 1, maxNewTokens: 8 };
  writeFileSync(file, JSON.stringify({ outputDir: 'trained', fineTune, inferEvaluate }));
  const sweep = await launch(['sweep', file, '--queue', redis.url]).ended;
  expect(sweep.code, sweep.output).toBe(0);
  expect(sweep.stderr).toContain('1 part on queue arclab');
  const work = () =>
    launch(['worker', '--queue', redis.url, '--lease', '2s', '--until_empty', '--backend', 'wasm']);
  const first = work();
  const [run] = sweepStatus({ file }).runs;
  const steps = () => {
    try {
      return readFileSync(
        join(kept, 'trained/runs', run!.run.training.slice('train-'.length), 'metrics.jsonl'),
        'utf8',
      ).split('\n').length;
    } catch {
      return 0;
    }
  };
  while (steps() < 8) await sleep(20);
  first.child.kill('SIGKILL');
  await first.ended;
  const second = await work().ended;
  expect(second.code, second.output).toBe(0);
  expect(second.output).toMatch(/continuing .*checkpoint-\d+ at step \d+/);
  // the evaluation became ready and was taken by the same worker
  expect(second.stdout).toContain('2 parts done');
  expect(sweepStatus({ file }).runs[0]).toMatchObject({ status: 'done', results: { steps: 60 } });
  const status = await launch(['sweep', 'status', file, '--queue', redis.url]).ended;
  expect(status.stdout).toMatch(
    /1 done[\s\S]*queue arclab: 0 wait, 0 active, 0 delayed, 2 completed, 0 failed/,
  );
  // what is done is not put there again
  const again = await launch(['sweep', file, '--queue', redis.url, '--wait']).ended;
  expect(again.stderr).toContain('0 parts on queue');
}, 120_000);

describe('one clear line', () => {
  test.each([
    ['sweep', ['sweep', 'sweep.json']],
    ['worker', ['worker']],
  ])('%s without the optional packages', (_, words) => {
    // the program where nothing is installed beside it
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'dist'));
    cpSync(join(packageRoot(), 'package.json'), join(folder, 'package.json'));
    for (const name of ['arclab.cjs', 'queue-thread.cjs'])
      cpSync(buildFile(name), join(folder, 'dist', name));
    writeTinyModel(join(folder, 'model'));
    writeTasks(join(folder, 'tasks.json'), recolourTasks(2));
    const fineTune = {
      modelPath: 'model',
      trainDatasets: [['tasks.json', 'output-from-examples-mini']],
      maxSteps: 1,
    };
    writeFileSync(join(folder, 'sweep.json'), JSON.stringify({ outputDir: 'out', fineTune }));
    const program = [join(folder, 'dist/arclab.cjs'), ...words, '--queue', 'redis://127.0.0.1:1'];
    const { status, stderr } = spawnSync(process.execPath, program, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, VITEST: undefined },
    });
    expect(stderr).toBe(
      'error: --queue: it needs two packages that are not installed: npm install bullmq@6 ioredis@5\n',
    );
    expect(status).toBe(2);
  });

  const connectTo = (queue: string) => queueExecutor({ queue, queueName: 'arclab', wait: false, retries: 0 });

  test.each([
    [
      'localhost:6379',
      /`queue`: expected an address such as redis:\/\/localhost:6379, found "localhost:6379"/,
    ],
    ['http://localhost', /expected an address such as redis:/],
  ])('%s is no address', async (url, message) => {
    await expect(connectTo(url)).rejects.toThrow(message);
  });

  test('a server that is down, and no password in the message', async () => {
    const url = `redis://me:secret@127.0.0.1:${await freePort()}`;
    const error = await connectTo(url).catch((reason) => reason as Error);
    expect((error as Error).message).toMatch(/no Redis answers \(ECONNREFUSED\); start one/);
    expect((error as Error).message).not.toContain('secret');
    expect(shownUrl('redis://localhost:1')).toBe('redis://localhost:1');
    for (const url of ['redis://u:a/b@h:1', 'redis://u:a@b@h:1/2?x=y', 'u:a@h:1', 'redis://h:1?password=a']) {
      expect(shownUrl(url)).toMatch(/^(redis:\/\/)?(…@)?h:1(\/2)?$/);
    }
    const worker = await launch(['worker', '--queue', url]).ended;
    expect(worker.code).toBe(2);
    expect(worker.stderr).toMatch(/^error: --queue: redis:\/\/…@127.0.0.1:\d+: no Redis answers[^\n]*\n$/);
  });

  test('a server that wants a password, which others do not see', async () => {
    const redis = await redisFor('--requirepass', 'secret');
    if (!redis) return;
    await expect(connectTo(redis.url)).rejects.toThrow(/Redis refuses this user or password/);
    const url = redis.url.replace('//', '//:secret@');
    const listed = launch(['worker', '--queue', url, '--lease', '2s']);
    while (!listed.stderr().includes('waiting for runs')) await sleep(20);
    const shown = readFileSync(`/proc/${listed.child.pid}/cmdline`, 'utf8');
    expect(shown).toContain('worker --queue redis://…@127.0.0.1');
    expect(shown).not.toContain('secret');
    listed.child.kill('SIGKILL');
    process.env.ARCLAB_QUEUE = url;
    onTestFinished(() => {
      delete process.env.ARCLAB_QUEUE;
    });
    const worker = await launch(['worker', '--until_empty']).ended;
    expect(worker.code, worker.output).toBe(0);
    expect(worker.output).not.toContain('secret');
  });

  test('a server of another version', async () => {
    const info = '# Server\r\nredis_version:5.0.14\r\n# Memory\r\nmaxmemory:0\r\n';
    const server = createServer((socket) =>
      socket.on('data', (data) => {
        for (const command of data.toString().match(/\r\n[A-Za-z]+(?=\r\n)/g) ?? []) {
          socket.write(/info/i.test(command) ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n');
        }
      }),
    );
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    await expect(connectTo(`redis://127.0.0.1:${port}`)).rejects.toThrow(
      /expected Redis 6.2 or newer, found 5.0.14/,
    );
  });

  test('a server that is full, at the beginning and while parts are put there', async () => {
    const redis = await redisFor('--maxmemory', '1mb');
    if (!redis) return;
    const plan = tinyPlan(join(temporaryFolder(), 'sweep'), 4000, 1);
    const error = await connectTo(redis.url)
      .then((executor) => executor.run(plan, plan.parts, {}))
      .catch((reason) => reason as Error);
    expect((error as Error).message).toMatch(/Redis is full \(maxmemory\)/);
    expect((error as Error).message).not.toContain('\n');
  });

  test('a server that may throw runs away', async () => {
    const redis = await redisFor('--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru');
    if (!redis) return;
    await expect(connectTo(redis.url)).rejects.toThrow(
      /may throw runs away when it is full \(maxmemory-policy allkeys-lru\)/,
    );
  });
});
