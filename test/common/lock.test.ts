import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { UserError } from '../../src/common/errors.js';
import { type LockTarget, lockPath, withLock } from '../../src/common/lock.js';

let folder: string;
let program: string;
let target: LockTarget;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-lock-'));
  program = join(folder, 'lock.cjs');
  buildSync({
    entryPoints: [fileURLToPath(new URL('../../src/common/lock.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile: program,
    define: { 'import.meta.url': '"file:///none"' },
  });
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  count += 1;
  target = { path: join(folder, `run-${count}`), kind: 'folder', option: '`outputDir`' };
});

/** Seconds that a test has time for. */
const timing = { renewEvery: 0.1, staleAfter: 1.5 };

const hold = (milliseconds = 0, lock = target) =>
  withLock(lock, () => sleep(milliseconds), undefined, timing);

interface Holder {
  child: ChildProcess;
  /** Resolved when it holds the lock. */
  holding: Promise<void>;
  ended: Promise<{ code: number | null; output: string }>;
}

/** A process that takes the lock, runs `body` while it holds it, and prints what happened. */
function start(body: string): Holder {
  const code = `
    const { withLock } = require(${JSON.stringify(program)});
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    withLock(${JSON.stringify(target)}, async (signal) => { console.log('holding'); ${body} }, undefined, ${JSON.stringify(timing)})
      .then(() => console.log('done'), (error) => { console.log(error.message); process.exitCode = 2; });`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const holding = new Promise<void>((resolve) => {
    child.stdout!.on('data', (data) => {
      output += data;
      if (output.includes('holding')) resolve();
    });
  });
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on('close', (exitCode) => resolve({ code: exitCode, output })),
  );
  return { child, holding, ended };
}

test('one call after the other works, two at the same time do not, nor does a second process', async () => {
  await hold();
  await hold();
  await withLock(target, async () => {
    await expect(hold()).rejects.toThrow(UserError);
    await expect(hold()).rejects.toThrow(
      /run-\d+ is in use: another call of this process has been writing to it since .* UTC; wait until it ends, or give another `outputDir`/,
    );
    const { code, output } = await start('').ended;
    expect(code).toBe(2);
    expect(output).toContain(`is in use: process ${process.pid} on `);
    expect(JSON.parse(readFileSync(lockPath(target), 'utf8'))).toMatchObject({ pid: process.pid });
  });
  await hold();
});

test('a file and the folder that it is in are owned apart', async () => {
  await withLock(target, async () => {
    const file: LockTarget = { path: join(target.path, 'a.json'), kind: 'file', option: '`outputPath`' };
    await hold(0, file);
    await withLock(file, async () => hold(0, { ...file, path: join(target.path, 'b.json') }));
  });
});

test('what fails frees it, and a folder in which nothing came to be goes with it', async () => {
  const deep = { ...target, path: join(target.path, 'a', 'b') };
  await expect(
    withLock(deep, async () => {
      expect(existsSync(lockPath(deep))).toBe(true);
      throw new Error('no model');
    }),
  ).rejects.toThrow('no model');
  expect(existsSync(target.path)).toBe(false);
  mkdirSync(target.path);
  await hold(0, deep);
  expect(readdirSync(target.path)).toEqual([]);
  await withLock(deep, async () => writeFileSync(join(deep.path, 'result'), ''));
  expect(readdirSync(deep.path)).toEqual(['result']);
});

test.each(['', 'a killed process left it'])(
  'of many processes that start at once one gets it %s',
  async (left) => {
    for (let round = 0; round < 3; round++) {
      if (left) {
        const dead = start('await sleep(60_000)');
        await dead.holding;
        dead.child.kill('SIGKILL');
        await dead.ended;
        expect(existsSync(lockPath(target))).toBe(true);
      }
      const stop = join(folder, `stop-${count}-${round}`);
      const body = `while (!require('node:fs').existsSync(${JSON.stringify(stop)})) await sleep(20);`;
      let ended = 0;
      const all = Array.from({ length: 6 }, async () => {
        const { output } = await start(body).ended;
        ended += 1;
        // when all others are refused, or by mistake fewer are, the one that holds it may end
        if (ended === 5) writeFileSync(stop, '');
        return output;
      });
      const timer = setTimeout(() => writeFileSync(stop, ''), 15_000);
      const outputs = await Promise.all(all);
      clearTimeout(timer);
      expect(outputs.filter((output) => output === 'holding\ndone\n')).toHaveLength(1);
      expect(outputs.filter((output) => output.includes('is in use'))).toHaveLength(5);
      expect(existsSync(lockPath(target))).toBe(false);
    }
  },
);

test('many that want the lock of a killed process at the same moment, again and again, are never two', async () => {
  // a turn is a line when it begins and one when it ends: two at once would mix them
  const log = join(folder, 'turns');
  writeFileSync(log, '');
  const body = `
    const { appendFileSync } = require('node:fs');
    appendFileSync(${JSON.stringify(log)}, process.pid + ' begins\\n');
    await sleep(20 * Math.random());
    appendFileSync(${JSON.stringify(log)}, process.pid + ' ends\\n');
    if (Math.random() < 0.5) process.kill(process.pid, 'SIGKILL');`;
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 6 }, () => start(body).ended));
  }
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(4);
  for (let i = 0; i < lines.length; i += 2) {
    expect([lines[i], lines[i + 1]]).toEqual([lines[i], lines[i]!.replace('begins', 'ends')]);
  }
});

test('it is renewed while the main thread is busy', async () => {
  const busy = start('const end = Date.now() + 3500; while (Date.now() < end);');
  await busy.holding;
  await sleep(2200);
  await expect(hold()).rejects.toThrow('is in use');
  expect((await busy.ended).output).toBe('holding\ndone\n');
});

test('a suspended process loses it after a while, and stops when it wakes up', async () => {
  const suspended = start(
    "const alive = setInterval(() => {}, 1000); await new Promise((resolve) => signal.addEventListener('abort', resolve)); clearInterval(alive);",
  );
  await suspended.holding;
  suspended.child.kill('SIGSTOP');
  await expect(hold()).rejects.toThrow('is in use');
  await sleep(1800);
  await withLock(
    target,
    async () => {
      suspended.child.kill('SIGCONT');
      const { code, output } = await suspended.ended;
      expect(code).toBe(2);
      expect(output).toContain('another run has taken it over while this process was suspended');
    },
    undefined,
    timing,
  );
  expect(existsSync(lockPath(target))).toBe(false);
});

test('nothing that it does keeps a process alive, and one that ends leaves no lock', async () => {
  const { output, code } = await start('await new Promise(() => {});').ended;
  // Node's own code for a promise that nothing will settle, where the main module awaits it
  expect([0, 13]).toContain(code);
  expect(output).toBe('holding\n');
  expect(existsSync(lockPath(target))).toBe(false);
});

/** The lock of a process on another machine, of which nothing is known but when it was renewed. */
function writeForeign(secondsAgo: number): void {
  mkdirSync(target.path, { recursive: true });
  const owner = {
    host: 'elsewhere',
    pid: 1,
    since: '2026-01-01T00:00:00.000Z',
    machine: 'elsewhere',
    processStart: '',
  };
  writeFileSync(lockPath(target), `${JSON.stringify({ ...owner, token: 'a' })}\n`);
  const time = Date.now() / 1000 - secondsAgo;
  utimesSync(lockPath(target), time, time);
}

test('the lock of another machine holds as long as it is renewed', async () => {
  writeForeign(0.3);
  await expect(hold()).rejects.toThrow(
    'is in use: process 1 on elsewhere has been writing to it since 2026-01-01 00:00:00 UTC',
  );
  for (const secondsAgo of [5, -5]) {
    writeForeign(secondsAgo);
    await hold();
    // the clock was set, and it only looks old
    writeForeign(secondsAgo);
    setTimeout(() => writeForeign(secondsAgo - 1), 50);
    await expect(hold()).rejects.toThrow('is in use');
  }
});

test('a lock without content, as a full disk leaves it, holds only for a while', async () => {
  mkdirSync(target.path);
  writeFileSync(lockPath(target), '');
  await expect(hold()).rejects.toThrow('is in use: another run has been writing to it; wait');
  await sleep(1700);
  await hold();
});

test('a process that was killed while it removed an abandoned lock is no obstacle', async () => {
  writeForeign(5);
  const guard = `${lockPath(target)}.removal`;
  writeFileSync(guard, '');
  const time = Date.now() / 1000 - 5;
  utimesSync(guard, time, time);
  await hold();
  expect(readdirSync(target.path)).toEqual([]);
});

test('where nothing can be written it says so', async () => {
  writeFileSync(target.path, 'a file');
  await expect(hold()).rejects.toThrow(/run-\d+: cannot write: /);
});
