/** Subshells, as JEP 91 describes them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KernelClient, streamText } from './client.js';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await KernelClient.start({ env: { ARCLAB_KERNEL_TYPES: 'off' } });
});
afterAll(() => kernel.close());

const control = async (type: string, content: object = {}) =>
  (await kernel.ask(`${type}_subshell_request`, content, 'control')).reply.content;
const execute = (code: string, subshell: string, options: object = {}) =>
  kernel.send('execute_request', { code, ...options }, 'shell', [], { subshell_id: subshell });
const text = (answer: Awaited<ReturnType<KernelClient['answer']>>) =>
  answer.outputs.at(-1)?.content.data['text/plain'];
/** Waits until a cell has been announced and has had the time to begin. */
async function begun(id: string): Promise<void> {
  await kernel.next(({ type, parent }) => type === 'execute_input' && parent === id);
  await new Promise((done) => setTimeout(done, 50));
}

test('they are announced, created, listed and deleted', async () => {
  expect((await kernel.ask('kernel_info_request', {})).reply.content.supported_features).toContain(
    'kernel subshells',
  );
  const { status, subshell_id: a } = await control('create');
  const { subshell_id: b } = await control('create');
  expect(status).toBe('ok');
  expect(await control('list')).toEqual({ status: 'ok', subshell_id: [a, b] });
  expect(await control('delete', { subshell_id: a })).toEqual({ status: 'ok' });
  expect(await control('list')).toEqual({ status: 'ok', subshell_id: [b] });
  for (const wrong of [{ subshell_id: a }, {}, { subshell_id: 5 }, { subshell_id: '__proto__' }]) {
    expect(await control('delete', wrong)).toMatchObject({ status: 'error', ename: 'UnknownSubshellError' });
  }
  await control('delete', { subshell_id: b });
});

test('a cell of a subshell runs while the main one awaits, and both share their variables', async () => {
  const { subshell_id: id } = await control('create');
  const waiting = await kernel.send('execute_request', {
    code: 'let go; const gate = new Promise((resolve) => { go = resolve; }); await gate; const value = 41; value',
  });
  await begun(waiting);
  const beside = await kernel.answer(await execute('console.log("beside"); typeof go', id));
  expect(text(beside)).toBe("'function'");
  expect(streamText(beside)).toBe('beside\n');
  // an inspection and a completion, too
  const subshell = { subshell_id: id };
  const inspected = await kernel.answer(
    await kernel.send(
      'inspect_request',
      { code: 'go', cursor_pos: 2, detail_level: 0 },
      'shell',
      [],
      subshell,
    ),
  );
  expect(inspected.reply.content).toMatchObject({ status: 'ok', found: true });
  await kernel.answer(await execute('go()', id));
  expect(text(await kernel.answer(waiting))).toBe('41');
  expect(text(await kernel.answer(await execute('value + 1', id)))).toBe('42');
  await control('delete', { subshell_id: id });
});

test('cells of one subshell run one after the other, and a failure ends only what waits in it', async () => {
  const { subshell_id: a } = await control('create');
  const { subshell_id: b } = await control('create');
  await kernel.execute(
    'const order: string[] = []; const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))',
  );
  const ids = [
    await execute('await pause(1500); order.push("a1"); throw new Error("a1")', a),
    await execute('order.push("a2")', a),
    await execute('await pause(20); order.push("b1")', b),
    await execute('order.push("b2")', b),
    await kernel.send('execute_request', { code: 'order.push("main")' }),
  ];
  const replies = [];
  for (const id of ids) replies.push((await kernel.answer(id)).reply.content);
  expect(replies.map(({ status }) => status)).toEqual(['error', 'aborted', 'ok', 'ok', 'ok']);
  expect(text(await kernel.execute('order.join()'))).toBe("'main,b1,b2,a1'");
  const counts = replies
    .filter(({ status }) => status !== 'aborted')
    .map(({ execution_count: count }) => count);
  expect(new Set(counts).size).toBe(4);
  for (const id of [a, b]) await control('delete', { subshell_id: id });
});

test('an interrupt stops the main cell, and that of a subshell where there is none', async () => {
  const { subshell_id: id } = await control('create');
  const beside = await execute('await new Promise(() => {})', id);
  await begun(beside);
  const main = await kernel.send('execute_request', { code: 'while (true);' });
  await begun(main);
  await kernel.ask('interrupt_request', {}, 'control');
  expect((await kernel.answer(main)).reply.content.ename).toBe('KernelInterrupted');
  expect(text(await kernel.execute('"main again"'))).toContain('main again');
  await kernel.ask('interrupt_request', {}, 'control');
  expect((await kernel.answer(beside)).reply.content.ename).toBe('KernelInterrupted');
  const loop = await execute('while (true);', id);
  await begun(loop);
  await kernel.ask('interrupt_request', {}, 'control');
  expect((await kernel.answer(loop)).reply.content.ename).toBe('KernelInterrupted');
  // one that computes in the way of a main cell that awaits
  const waiting = await kernel.send('execute_request', { code: 'await new Promise(() => {})' });
  await begun(waiting);
  const blocking = await execute('while (true);', id);
  await begun(blocking);
  await kernel.ask('interrupt_request', {}, 'control');
  expect((await kernel.answer(waiting)).reply.content.ename).toBe('KernelInterrupted');
  expect((await kernel.answer(blocking)).reply.content.ename).toBe('KernelInterrupted');
  expect(text(await kernel.answer(await execute('"alive"', id)))).toContain('alive');
  await control('delete', { subshell_id: id });
});

test('a failed declaration gives its name back, and one that is under way keeps it', async () => {
  const { subshell_id: id } = await control('create');
  const waiting = await kernel.send('execute_request', {
    code: 'await new Promise((done) => { globalThis.open = done; }); const display = 5; display',
  });
  await begun(waiting);
  await kernel.answer(await execute('1', id));
  await kernel.answer(await execute('globalThis.open()', id));
  expect(text(await kernel.answer(waiting))).toBe('5');
  await control('delete', { subshell_id: id });
});

test('what waits in a subshell that is deleted gives up, and what runs goes on', async () => {
  const { subshell_id: id } = await control('create');
  const running = await execute('await pause(150); console.log("to the end")', id);
  const waiting = await execute('1', id);
  await begun(running);
  await control('delete', { subshell_id: id });
  expect((await kernel.answer(waiting)).reply.content.status).toBe('aborted');
  expect(streamText(await kernel.answer(running))).toBe('to the end\n');
});

test('a request for a subshell that is not there is an error, and the kernel goes on', async () => {
  for (const [type, subshell] of [
    ['execute_request', 'nowhere'],
    ['inspect_request', 5],
    ['kernel_info_request', ''],
  ] as const) {
    const id = await kernel.send(type, { code: '1', cursor_pos: 1 }, 'shell', [], { subshell_id: subshell });
    expect((await kernel.answer(id)).reply.content).toMatchObject({
      status: 'error',
      ename: 'UnknownSubshellError',
      evalue: `there is no subshell ${JSON.stringify(subshell)}`,
    });
  }
  expect(text(await kernel.execute('2'))).toBe('2');
});
