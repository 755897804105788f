import { beforeAll, describe, expect, it } from 'vitest';
import { Kernel, Project, sleep, useKernel } from '../bridge/client.js';

const { kernel } = useKernel();

beforeAll(async () => {
  await kernel.value("let kept = 'kept'; const sleep = (ms: number) => new Promise(r => setTimeout(r, ms));");
});

/** Code that never ends by itself: synchronous, asynchronous, and synchronous inside of asynchronous. */
const ENDLESS = {
  loop: 'while (true) {}',
  'loop after an await': 'await null; while (true) {}',
  'loop after a timer': 'await sleep(5); while (true) {}',
  'loop in a timer': 'setTimeout(() => { while (true) {} }, 5); await sleep(100000);',
  'loop in an immediate': 'setImmediate(() => { while (true) {} }); await sleep(100000);',
  'loop in a tick': 'process.nextTick(() => { while (true) {} }); await sleep(100000);',
  'loop in a microtask': 'queueMicrotask(() => { while (true) {} }); await sleep(100000);',
  'loop in an async resource':
    "new (require('async_hooks').AsyncResource)('own').runInAsyncScope(() => { while (true) {} });",
  'loop in an async resource after an await':
    "await null; new (require('async_hooks').AsyncResource)('own').runInAsyncScope(() => { while (true) {} });",
  'loop in a callback of fs':
    "require('fs').readFile('/etc/hosts', () => { while (true) {} }); await sleep(100000);",
  'loop after a promise of fs': "await require('fs').promises.readFile('/etc/hosts'); while (true) {}",
  'loop of microtasks': 'while (true) await null;',
  'promise that never settles': 'await new Promise(() => {});',
  'loop with await': 'while (true) await sleep(5);',
  'for await':
    'async function* forever() { while (true) yield await sleep(1); } for await (const _ of forever());',
  'loop that catches everything': 'while (true) { try { while (true) {} } catch {} }',
};

it('may wait for what never comes while garbage is collected, and be interrupted after that', async () => {
  const { done } = kernel.start(
    `console.log('began'); const { setFlagsFromString } = require('v8'); setFlagsFromString('--expose-gc');
     setTimeout(() => { const gc = require('vm').runInNewContext('gc'); gc(); gc(); console.log('collected'); }, 20);
     await new Promise(() => {});`,
  );
  await kernel.until((answer) => answer.type === 'output' && JSON.stringify(answer).includes('collected'));
  kernel.process.kill('SIGINT');
  expect((await done).outcome).toMatchObject({ ename: 'KernelInterrupted' });
  expect(await kernel.value("require('vm').runInNewContext('gc')(); kept")).toBe("'kept'");
});

describe.each(['message', 'SIGINT'] as const)('interrupt by %s', (way) => {
  it.each(Object.entries(ENDLESS))('stops a %s and keeps the values', async (_name, code) => {
    const { done } = kernel.start(`console.log('began'); ${code}`);
    await kernel.until((answer) => answer.type === 'output');
    await sleep(30);
    if (way === 'message') kernel.send({ type: 'interrupt' });
    else kernel.process.kill('SIGINT');
    const { outcome } = await done;
    expect(outcome).toMatchObject({ status: 'error', ename: 'KernelInterrupted' });
    expect(await kernel.value('await sleep(1); kept')).toBe("'kept'");
    expect(await kernel.value('1 + 1')).toBe('2');
  });
});

describe('interrupt', () => {
  it('ends the child processes of the cell and theirs, and no others', async () => {
    await kernel.value(
      "const { spawn } = require('child_process'); const server = spawn('sleep', ['60']); let own = 0; undefined",
    );
    const { done } = kernel.start(`
      const shell = spawn('sleep 60 & echo $!; wait', { shell: true });
      shell.stdout.on('data', (line) => { own = Number(line); console.log('began'); });
      await new Promise(() => {});`);
    await kernel.until((answer) => answer.type === 'output');
    kernel.send({ type: 'interrupt' });
    expect((await done).outcome).toMatchObject({ ename: 'KernelInterrupted' });
    const lives = `
      const fs = require('fs');
      const lives = (pid: number) => fs.existsSync('/proc/' + pid) && !/State:\\s*Z/.test(fs.readFileSync('/proc/' + pid + '/status', 'utf8'));
      for (let i = 0; i < 100 && (lives(own) || lives(shell.pid)); i++) await sleep(20);
      const found = [own > 0, lives(own), lives(shell.pid), lives(server.pid)]; server.kill(); found`;
    expect(await kernel.value(lives)).toBe('[ true, false, false, true ]');
  });

  it('silences what an interrupted cell has left running', async () => {
    const loops = `
      let ticks = 0;
      setInterval(() => { ticks++; console.log('interval'); }, 3);
      (async () => { while (true) { await sleep(3); console.log('async'); } })();
      (async () => { const { setTimeout: pause } = await import('timers/promises');
        while (true) { await pause(3); ticks++; console.log('pause'); } })();
      console.log('began');
      await new Promise(() => {});`;
    const { done } = kernel.start(loops);
    await kernel.until((answer) => answer.type === 'output');
    await sleep(30);
    kernel.send({ type: 'interrupt' });
    expect((await done).stdout).toContain('interval');
    await kernel.value('await sleep(60); const before = ticks');
    const count = kernel.answers.length;
    const after = await kernel.run('await sleep(60); ticks - before');
    expect(after.stdout).toBe('');
    // the loop over node:timers ran on until it printed, and no further
    expect(after.text).toBe('0');
    expect(kernel.answers.slice(count).filter(({ type }) => type === 'output')).toEqual([]);
  });

  it('reaches a child process that the cell waits for', async () => {
    const { done } = kernel.start("console.log('began'); require('child_process').execSync('sleep 30')");
    await kernel.until((answer) => answer.type === 'output');
    await sleep(50);
    const began = Date.now();
    kernel.send({ type: 'interrupt' });
    expect((await done).outcome).toMatchObject({ status: 'error', ename: 'KernelInterrupted' });
    // long before the child process ends by itself
    expect(Date.now() - began).toBeLessThan(20_000);
    expect(await kernel.value('kept')).toBe("'kept'");
  });

  it('is what ended a cell whose child process failed of it', async () => {
    // once V8 has compiled it as a whole, what throws the failure is not cut off before it has done so
    await kernel.value(
      "const { execSync } = require('child_process'); for (let i = 0; i < 200; i++) execSync('true'); undefined",
    );
    const names: string[] = [];
    for (let i = 0; i < 8; i++) {
      const { done } = kernel.start("console.log('began'); execSync('sleep 30')");
      await kernel.until((answer) => answer.type === 'output');
      await sleep(25);
      kernel.send({ type: 'interrupt' });
      const { outcome } = await done;
      names.push(outcome.status === 'error' ? outcome.ename : outcome.status);
    }
    expect(new Set(names)).toEqual(new Set(['KernelInterrupted']));
  });

  it('that comes before the code begins keeps it from beginning', async () => {
    // long enough that it comes while the cell is being made ready
    const long = Array.from({ length: 20_000 }, (_, i) => `let name${i} = ${i};`).join('\n');
    const { done } = kernel.start(`${long}\nwhile (true) {}`);
    kernel.send({ type: 'interrupt' });
    expect((await done).outcome).toMatchObject({ status: 'error', ename: 'KernelInterrupted' });
    expect(await kernel.value('kept')).toBe("'kept'");
  });

  it('stops what a cell has left behind and what keeps the kernel from the next one', async () => {
    const began = kernel.until((answer) => answer.type === 'output');
    await kernel.value("setTimeout(() => { console.log('spins'); while (true) {} }, 5); undefined");
    await began;
    kernel.send({ type: 'interrupt' });
    expect(await kernel.value('kept')).toBe("'kept'");
  });

  it.each([
    ['a promise', 'await held; while (true) {}'],
    ['a tick', 'held.then(() => process.nextTick(() => { while (true) {} })); await held'],
    [
      'a callback of fs',
      "held.then(() => require('fs').readFile('/etc/hosts', () => { while (true) {} })); await held",
    ],
  ])('is not undone by what it left behind and goes on to compute after %s', async (_, code) => {
    await kernel.value(
      'let release = () => {}; const held = new Promise<void>((done) => { release = done }); undefined',
    );
    const { done } = kernel.start(`console.log('began'); ${code}`);
    await kernel.until((answer) => answer.type === 'output');
    kernel.send({ type: 'interrupt' });
    expect((await done).outcome).toMatchObject({ ename: 'KernelInterrupted' });
    // while a cell awaits, and before the next one
    expect(await kernel.value('release(); await sleep(100); kept')).toBe("'kept'");
    expect(await kernel.value('kept')).toBe("'kept'");
  });

  it('does nothing where no cell runs', async () => {
    kernel.send({ type: 'interrupt' });
    kernel.process.kill('SIGINT');
    await sleep(60);
    expect(await kernel.value('kept')).toBe("'kept'");
  });

  it('ends a question', async () => {
    const { done } = kernel.start("prompt('name? ')");
    await kernel.until((answer) => answer.type === 'input-request');
    kernel.send({ type: 'interrupt' });
    expect((await done).outcome).toMatchObject({ status: 'error', ename: 'KernelInterrupted' });
    expect(await kernel.value('kept')).toBe("'kept'");
  });

  it('leaves cells that wait behind it to the transport', async () => {
    const first = kernel.start('while (true) {}');
    const second = kernel.start('kept + 2');
    await sleep(50);
    kernel.send({ type: 'interrupt' });
    expect((await first.done).outcome.status).toBe('error');
    expect((await second.done).text).toBe("'kept2'");
  });
});

describe('interrupt where AsyncLocalStorage is used', () => {
  beforeAll(async () => {
    await kernel.value(`
      const store = new (require('async_hooks').AsyncLocalStorage)();
      const follow = () => store.run('here', async () => {
        const seen = [store.getStore()];
        await null; seen.push(store.getStore());
        await sleep(1); seen.push(store.getStore());
        await new Promise<void>((done) => setTimeout(async () => { await null; seen.push(store.getStore()); done() }));
        await new Promise<void>((done) => process.nextTick(() => queueMicrotask(() => { seen.push(store.getStore()); done() })));
        await require('fs').promises.stat('/').then(() => seen.push(store.getStore()));
        await Promise.all([1, 2].map((n) => store.run(n, async () => { await sleep(n); seen.push(store.getStore()) })));
        return seen.join() + store.getStore();
      });
      await follow()`);
  });

  it.each(Object.entries(ENDLESS))('stops a %s, and the stores are found', async (_name, code) => {
    const { done } = kernel.start(`store.run('lost', async () => { await null; });
      await store.run('lost', async () => { console.log('began'); ${code} })`);
    await kernel.until((answer) => answer.type === 'output');
    await sleep(30);
    kernel.send({ type: 'interrupt' });
    expect((await done).outcome).toMatchObject({ status: 'error', ename: 'KernelInterrupted' });
    expect(await kernel.value('(await follow()) + store.getStore()')).toBe(
      "'here,here,here,here,here,here,1,2hereundefined'",
    );
  });

  it('late errors and output still belong to their cells', async () => {
    const { id } = kernel.start(
      "setTimeout(async () => { await null; throw new Error('late') }, 5); undefined",
    );
    await kernel.value('await sleep(50)');
    expect(kernel.lateErrors.at(-1)).toMatchObject({ id, error: { evalue: 'late' } });
  });
});

it('cuts off no part of the start, however early it comes', async () => {
  const project = new Project();
  try {
    // several at once: each then takes long enough to be met in the middle
    const kernels = Array.from({ length: 10 }, () => new Kernel(project.folder));
    const values = kernels.map(async (kernel, i) => {
      const { done } = kernel.start('0');
      await sleep(15 * i);
      kernel.send({ type: 'interrupt' });
      await done;
      const value = await kernel.value('const three: number = 3; three');
      await kernel.stop();
      return value;
    });
    expect(new Set(await Promise.all(values))).toEqual(new Set(['3']));
  } finally {
    project.remove();
  }
}, 60_000);
