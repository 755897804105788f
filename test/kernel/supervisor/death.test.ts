/** A kernel whose process dies says so, and what its cell printed before arrives. */
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { isRunning } from '../alive.js';
import { type Answer, KernelClient, type StartOptions, streamText } from '../jupyter/client.js';

const open: KernelClient[] = [];
async function start(options: StartOptions = {}): Promise<KernelClient> {
  const env = { ARCLAB_KERNEL_TYPES: 'off', ...options.env };
  const kernel = await KernelClient.start({ ...options, env });
  open.push(kernel);
  return kernel;
}
afterEach(() => {
  for (const kernel of open.splice(0)) kernel.close();
});

/** Runs a cell that ends the process, and waits for the end of the supervisor. */
async function die(kernel: KernelClient, code: string): Promise<Answer & { exitCode: number | null }> {
  const answer = await kernel.execute(code);
  return { ...answer, exitCode: await kernel.exited };
}

const REPEAT_NOTE =
  '[arclab kernel] What follows may repeat what is above: the kernel died while it sent its output\n';

/** Whether a process dies in the very moment in which it sends is chance. */
const withoutNote = (stderr: string) => stderr.replace(REPEAT_NOTE, '');

/**
 * Expects the numbers of all lines in order, once; or, where the process died in the very write that handed some of
 * them over, a note and those again.
 */
function expectWhole(answer: Answer, lines: number): void {
  const numbers = streamText(answer).trimEnd().split('\n').map(Number);
  const again = numbers.findIndex((number, i) => number !== i);
  if (again < 0) {
    expect(numbers).toHaveLength(lines);
    return;
  }
  expect(streamText(answer, 'stderr')).toContain(REPEAT_NOTE);
  const rest = numbers.slice(again);
  expect(rest[0]).toBeLessThan(again);
  expect(rest).toEqual(Array.from({ length: lines - rest[0]! }, (_, i) => rest[0]! + i));
}

const abort = "require('koffi').load(null).func('void abort()')()";

describe.skipIf(process.platform !== 'linux')('a process that dies', () => {
  test.each([
    ['SIGKILL', "process.kill(process.pid, 'SIGKILL')", 137, 'killed (SIGKILL)'],
    ['SIGSEGV', "process.kill(process.pid, 'SIGSEGV')", 139, 'crashed (SIGSEGV)'],
    ['abort() of the C library', abort, 134, 'gave up (SIGABRT)'],
  ])('by %s answers its cell, after what it printed', async (_, code, exitCode, words) => {
    const kernel = await start();
    const pid = Number((await kernel.execute('process.pid')).outputs[1]!.content.data['text/plain']);
    const answer = await die(kernel, `console.log('before'); console.error('too'); ${code}; while (true);`);
    expect(streamText(answer)).toBe('before\n');
    expect(withoutNote(streamText(answer, 'stderr'))).toBe('too\n');
    expect(answer.reply.content).toMatchObject({ status: 'error', ename: 'KernelDied', execution_count: 2 });
    expect(answer.reply.content.evalue).toContain(words);
    expect(answer.outputs.at(-1)).toMatchObject({ type: 'error', content: { ename: 'KernelDied' } });
    expect(kernel.log).toContain(`The kernel has died: `);
    expect(kernel.log).toContain(words);
    expect(answer.exitCode).toBe(exitCode);
    expect(isRunning(pid)).toBe(false);
  });

  test('for want of heap says how to get more', async () => {
    const kernel = await start({ env: { NODE_OPTIONS: '--max-old-space-size=120' } });
    const answer = await die(
      kernel,
      `console.log('before');
       const hog: unknown[] = [];
       for (;;) hog.push(Array.from({ length: 1e4 }, (_, i) => ({ i })))`,
    );
    expect(streamText(answer)).toBe('before\n');
    expect(answer.reply.content.evalue).toMatch(
      /^out of memory: .* limit of [12]\d\d MB.*NODE_OPTIONS=--max-old-space-size=4096/,
    );
    // V8's own report is for the log alone
    expect(withoutNote(streamText(answer, 'stderr'))).toBe('');
    expect(kernel.log).toContain('JavaScript heap out of memory');
  });

  test('loses nothing of a flood of output, and shows nothing twice', async () => {
    const kernel = await start();
    const lines = 30_000;
    const answer = await die(kernel, `for (let i = 0; i < ${lines}; i++) console.log(i); ${abort}`);
    expectWhole(answer, lines);
  });

  test('shows what native code and results that were too late had to say', async () => {
    const kernel = await start();
    const answer = await die(
      kernel,
      `display({ 'text/plain': 'y'.repeat(300_000) }, { raw: true });
       const c = require('koffi').load(null);
       c.func('int puts(const char *)')('from C');
       ${abort}`,
    );
    expect(
      answer.outputs.find(({ type }) => type === 'display_data')!.content.data['text/plain'],
    ).toHaveLength(300_000);
    expect(streamText(answer)).toBe('from C\n');
  });

  test('aborts the cells that wait, and answers the one of a subshell', async () => {
    const kernel = await start();
    const { reply } = await kernel.ask('create_subshell_request', {}, 'control');
    const subshell = { subshell_id: reply.content.subshell_id };
    const inSubshell = await kernel.send(
      'execute_request',
      { code: 'await new Promise(() => {})' },
      'shell',
      [],
      subshell,
    );
    await kernel.next(({ type, parent }) => type === 'execute_input' && parent === inSubshell);
    const running = await kernel.send('execute_request', {
      code: `await null; setTimeout(() => ${abort}, 200); await new Promise(() => {})`,
    });
    const waiting = await kernel.send('execute_request', { code: '1' });
    expect((await kernel.reply(running)).content.ename).toBe('KernelDied');
    expect((await kernel.reply(inSubshell)).content.ename).toBe('KernelDied');
    expect((await kernel.reply(waiting)).content.status).toBe('aborted');
  });

  test('between two cells says so below the last one', async () => {
    const kernel = await start();
    const id = await kernel.send('execute_request', {
      code: `setTimeout(() => { console.log('late'); ${abort} }, 300); 1`,
    });
    await kernel.answer(id);
    await kernel.exited;
    const late = await kernel.next(
      ({ parent, type, content }) => parent === id && type === 'stream' && content.name === 'stderr',
    );
    expect(late.content.text).toContain('The kernel has died');
    expect((await kernel.next(({ parent, type }) => parent === id && type === 'stream')).content.text).toBe(
      'late\n',
    );
  });

  test('frees its ports and leaves nothing running', async () => {
    const kernel = await start({ detached: true });
    const code = "const child = require('child_process').spawn('sleep', ['1000']); console.log(child.pid);";
    const answer = await die(kernel, `${code} ${abort}`);
    await vi.waitFor(() => expect(isRunning(Number(streamText(answer)))).toBe(false), 20_000);
    for (const port of kernel.ports) {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, '127.0.0.1', resolve);
      });
      server.close();
    }
  });
});

describe.skipIf(process.platform !== 'linux')('the supervisor', () => {
  test('ends its kernel when it is killed itself', async () => {
    const kernel = await start();
    const pid = Number((await kernel.execute('process.pid')).outputs[1]!.content.data['text/plain']);
    expect(pid).not.toBe(kernel.process.pid);
    await kernel.send('execute_request', { code: 'while (true);' });
    await sleep(100);
    kernel.process.kill('SIGKILL');
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), 20_000);
  });

  test('passes SIGTERM on, and says nothing', async () => {
    const kernel = await start();
    const pid = Number((await kernel.execute('process.pid')).outputs[1]!.content.data['text/plain']);
    kernel.process.kill('SIGTERM');
    expect(await kernel.exited).toBe(143);
    expect(isRunning(pid)).toBe(false);
    expect(kernel.log).toBe('');
  });

  test('a signal that reaches both is one interrupt', async () => {
    const kernel = await start();
    const pid = Number((await kernel.execute('process.pid')).outputs[1]!.content.data['text/plain']);
    const first = await kernel.send('execute_request', { code: 'while (true);', stop_on_error: false });
    const second = await kernel.send('execute_request', {
      code: "await new Promise((r) => setTimeout(r, 500)); 'whole'",
    });
    await kernel.next(({ type, parent }) => type === 'execute_input' && parent === first);
    await sleep(100);
    kernel.process.kill('SIGINT');
    await sleep(60);
    process.kill(pid, 'SIGINT');
    expect((await kernel.answer(first)).reply.content.ename).toBe('KernelInterrupted');
    expect((await kernel.answer(second)).reply.content.status).toBe('ok');
  });
});
