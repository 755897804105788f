import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Dealer } from 'zeromq';
import {
  connectionFile,
  DELIMITER,
  KernelClient,
  type StartOptions,
  startProcess,
  streamText,
} from './client.js';

const open: KernelClient[] = [];
async function start(options: StartOptions = {}): Promise<KernelClient> {
  const kernel = await KernelClient.start({ ...options, env: { ARCLAB_KERNEL_TYPES: 'off' } });
  open.push(kernel);
  return kernel;
}
afterEach(() => {
  for (const kernel of open.splice(0)) kernel.close();
});

/** Runs a process to its end. */
async function run(path: string): Promise<{ code: number | null; stderr: string }> {
  const child = startProcess(path);
  let stderr = '';
  child.stderr!.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  return { code: await new Promise((resolve) => child.on('exit', resolve)), stderr };
}

describe('messages that cannot be trusted', () => {
  test('a wrong signature and broken frames are dropped and noted; the session goes on', async () => {
    const kernel = await start();
    const { frames } = kernel.frames('execute_request', { code: 'globalThis.forged = 1' });
    frames[1] = 'f'.repeat(64);
    await kernel.shell.send(frames);
    await kernel.shell.send(['no delimiter at all']);
    await kernel.shell.send([DELIMITER, kernel.sign(['{']), '{']);
    const broken = ['{"msg_id":', '{}', '{}', '{}'];
    await kernel.shell.send([DELIMITER, kernel.sign(broken), ...broken]);
    const headless = ['{}', '{}', '{}', '[]'];
    await kernel.control.send([DELIMITER, kernel.sign(headless), ...headless]);
    await kernel.stdin.send(['']);
    const { outputs } = await kernel.execute('typeof forged');
    expect(outputs.at(-1)!.content.data['text/plain']).toContain('undefined');
    await vi.waitFor(() => {
      for (const word of ['signature', 'delimiter', 'not JSON', 'not an object']) {
        expect(kernel.log).toContain(word);
      }
    });
  });

  test('with an empty key nothing is signed', async () => {
    const kernel = await start({ key: '' });
    expect((await kernel.execute('6 * 7')).outputs.at(-1)!.content.data['text/plain']).toBe('42');
  });
});

describe('connections that cannot be made', () => {
  test('a port in use', async () => {
    const { path, folder, ports } = await connectionFile('k');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(ports[1], '127.0.0.1', resolve));
    const { code, stderr } = await run(path);
    server.close();
    rmSync(folder, { recursive: true });
    expect(code).toBe(2);
    expect(stderr).toContain(`tcp://127.0.0.1:${ports[1]}`);
    expect(stderr).toContain('another program listens there');
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test('no such connection file, and one that is none', async () => {
    expect(await run('/nowhere/connection.json')).toMatchObject({ code: 2 });
    const { code, stderr } = await run(new URL('../../../package.json', import.meta.url).pathname);
    expect(code).toBe(2);
    expect(stderr).toContain('shell_port');
  });
});

describe('much output', () => {
  test('100,000 lines arrive whole and in order, while the cell blocks', async () => {
    const kernel = await start();
    const answer = await kernel.execute('for (let i = 0; i < 100_000; i++) console.log(i)');
    expect(streamText(answer)).toBe(Array.from({ length: 100_000 }, (_, i) => `${i}\n`).join(''));
    expect(answer.outputs.length).toBeLessThan(2000);
  });

  test('a string of 20 MB', async () => {
    const kernel = await start();
    const answer = await kernel.execute('process.stdout.write("0123456789".repeat(2_000_000))');
    const text = streamText(answer);
    expect(text.length).toBe(20_000_000);
    expect(text.replaceAll('0123456789', '')).toBe('');
  });
});

describe('interrupt', () => {
  const cells = {
    'a loop': 'while (true) {}',
    'a loop after await': 'await null; while (true) {}',
    'a promise that never settles': 'await new Promise(() => {})',
    'a flood of large outputs':
      "const big = 'y'.repeat(3e6); for (;;) { display({ 'text/plain': big }, { raw: true }); await null }",
    'an async loop': 'for (;;) await new Promise((r) => setTimeout(r, 5))',
  };
  for (const [name, code] of Object.entries(cells)) {
    for (const how of ['message', 'signal'] as const) {
      test(`${name}, by ${how}`, async () => {
        const kernel = await start();
        await kernel.execute('let kept = 5');
        const id = await kernel.send('execute_request', { code });
        await kernel.next(({ type, parent }) => type === 'execute_input' && parent === id);
        await sleep(100);
        const begin = performance.now();
        if (how === 'signal') kernel.process.kill('SIGINT');
        else expect((await kernel.ask('interrupt_request', {}, 'control')).reply.content.status).toBe('ok');
        expect((await kernel.answer(id)).reply.content).toMatchObject({
          status: 'error',
          ename: 'KernelInterrupted',
        });
        // by itself it would not end
        expect(performance.now() - begin).toBeLessThan(20_000);
        expect((await kernel.execute('kept')).outputs.at(-1)!.content.data['text/plain']).toBe('5');
      });
    }
  }

  test('with nothing to interrupt nothing happens', async () => {
    const kernel = await start();
    await kernel.ask('interrupt_request', {}, 'control');
    kernel.process.kill('SIGINT');
    await sleep(50);
    expect((await kernel.execute('1')).reply.content.status).toBe('ok');
  });
});

describe('the end', () => {
  test.each([
    ['an interval', 'setInterval(() => {}, 1000)'],
    ['an exit handler that loops', 'process.on("exit", () => { while (true); })'],
  ])('shutdown is answered and ends the process with %s alive', async (_, code) => {
    const kernel = await start();
    await kernel.execute(code);
    const id = await kernel.send('shutdown_request', { restart: true }, 'control');
    const reply = await kernel.next(({ type, parent }) => type === 'shutdown_reply' && parent === id);
    expect(reply.content).toEqual({ status: 'ok', restart: true });
    const begin = Date.now();
    await kernel.exited;
    expect(Date.now() - begin).toBeLessThan(20_000);
  });

  test('shutdown while a cell loops', async () => {
    const kernel = await start();
    await kernel.send('execute_request', { code: 'while (true);' });
    await sleep(200);
    const begin = Date.now();
    await kernel.shutdown();
    expect(Date.now() - begin).toBeLessThan(20_000);
  });
});

test('a client that disappears in the middle leaves the kernel to the others', async () => {
  const kernel = await start();
  const ghost = new Dealer({ linger: 0 });
  ghost.connect(kernel.shell.lastEndpoint!);
  const { frames, id } = kernel.frames('execute_request', {
    code: 'console.log("for nobody"); await new Promise((done) => setTimeout(done, 200))',
  });
  await ghost.send(frames);
  // gone while its cell runs, so that the reply finds nobody
  await kernel.next(({ type, parent }) => type === 'stream' && parent === id);
  ghost.close();
  expect(await kernel.heartbeat()).toBe(true);
  expect((await kernel.execute('1 + 1')).outputs.at(-1)!.content.data['text/plain']).toBe('2');
});
