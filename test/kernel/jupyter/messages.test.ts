import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { KernelClient, streamText } from './client.js';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await KernelClient.start({ env: { ARCLAB_KERNEL_TYPES: 'off' } });
});
afterAll(() => kernel.close());

test('kernel_info names the language and the protocol', async () => {
  const { reply } = await kernel.ask('kernel_info_request', {});
  expect(reply.content).toMatchObject({
    status: 'ok',
    protocol_version: '5.4',
    language_info: { name: 'typescript', file_extension: '.ts' },
  });
  expect((await kernel.ask('kernel_info_request', {}, 'control')).reply.content.status).toBe('ok');
});

test('a cell is announced, run and counted', async () => {
  const first = await kernel.execute('const half: number = 21; half * 2');
  const { execution_count: count } = first.reply.content;
  expect(first.reply.content).toMatchObject({ status: 'ok', payload: [], user_expressions: {} });
  expect(first.outputs.map(({ type }) => type)).toEqual(['execute_input', 'execute_result']);
  expect(first.outputs[0]!.content).toEqual({
    code: 'const half: number = 21; half * 2',
    execution_count: count,
  });
  expect(first.outputs[1]!.content).toMatchObject({ execution_count: count, data: { 'text/plain': '42' } });
  const second = await kernel.execute('half');
  expect(second.reply.content.execution_count).toBe(count + 1);
});

test('without store_history nothing is counted or kept, and silent cells say nothing', async () => {
  const { execution_count: before } = (await kernel.execute('0')).reply.content;
  await kernel.execute('"not kept"', { store_history: false });
  const silent = await kernel.execute('console.log("unheard"); var heard = 7; 5', { silent: true });
  expect(silent.outputs).toEqual([]);
  const after = await kernel.execute('heard');
  expect(after.reply.content.execution_count).toBe(before + 1);
  expect(after.outputs.at(-1)!.content.data['text/plain']).toBe('7');
  const { reply } = await kernel.ask('history_request', { hist_access_type: 'tail', n: 2, output: true });
  expect(reply.content.history).toEqual([
    [1, before, ['0', '0']],
    [1, before + 1, ['heard', '7']],
  ]);
});

test('user_expressions are evaluated after the cell, each with its own outcome', async () => {
  const { reply } = await kernel.execute('const base = 4', {
    user_expressions: { good: 'base + 1', bad: 'nowhere' },
  });
  expect(reply.content.user_expressions.good).toMatchObject({ status: 'ok', data: { 'text/plain': '5' } });
  expect(reply.content.user_expressions.bad).toMatchObject({ status: 'error', ename: 'ReferenceError' });
});

test('an error is published and replied, and the kernel goes on', async () => {
  const { reply, outputs } = await kernel.execute('throw new RangeError("too far")');
  expect(reply.content).toMatchObject({ status: 'error', ename: 'RangeError', evalue: 'too far' });
  const { type, content } = outputs.at(-1)!;
  expect(type).toBe('error');
  expect(content.traceback.join('\n')).toContain('too far');
  expect((await kernel.execute('1')).reply.content.status).toBe('ok');
});

test('after an error what is queued is aborted, unless it asked not to be; what comes later runs', async () => {
  const failing = await kernel.send('execute_request', {
    code: 'await new Promise((r) => setTimeout(r, 100)); throw 1',
  });
  const queued = await kernel.send('execute_request', { code: '"queued"' });
  const stubborn = await kernel.send('execute_request', { code: '"stubborn"', stop_on_error: false });
  expect((await kernel.answer(failing)).reply.content.status).toBe('error');
  const aborted = await kernel.answer(queued);
  expect(aborted.reply.content.status).toBe('aborted');
  expect(aborted.outputs).toEqual([]);
  expect((await kernel.answer(stubborn)).outputs.at(-1)!.content.data['text/plain']).toContain('stubborn');
  expect((await kernel.execute('"later"')).reply.content.status).toBe('ok');
  const tolerant = await kernel.send('execute_request', { code: 'throw 1', stop_on_error: false });
  const next = await kernel.send('execute_request', { code: '2' });
  await kernel.answer(tolerant);
  expect((await kernel.answer(next)).reply.content.status).toBe('ok');
});

test('a question about a name opens the pager', async () => {
  const { reply } = await kernel.execute('JSON.parse?');
  expect(reply.content.payload).toHaveLength(1);
  expect(reply.content.payload[0].source).toBe('page');
  expect(reply.content.payload[0].data['text/plain']).toContain('JavaScript Object Notation');
});

test('history by range and by pattern', async () => {
  const { execution_count: start } = (await kernel.execute('"apple 1"')).reply.content;
  for (const code of ['"apple 2"', '"pear"', '"apple 1"']) await kernel.execute(code);
  const ask = async (request: object) => (await kernel.ask('history_request', request)).reply.content.history;
  const range = { hist_access_type: 'range', session: 0, start, stop: start + 2 };
  expect(await ask(range)).toEqual([
    [0, start, '"apple 1"'],
    [0, start + 1, '"apple 2"'],
  ]);
  const search = { hist_access_type: 'search', pattern: '"apple*' };
  expect((await ask({ ...search, n: 2 })).map((item: unknown[]) => item[2])).toEqual([
    '"apple 2"',
    '"apple 1"',
  ]);
  expect((await ask({ ...search, unique: true })).map((item: unknown[]) => item[1])).toEqual([
    start + 1,
    start + 3,
  ]);
  expect(await ask({ hist_access_type: 'range', session: 77, start: 0, stop: 9 })).toEqual([]);
});

test('is_complete knows all four answers', async () => {
  const ask = async (code: string) => (await kernel.ask('is_complete_request', { code })).reply.content;
  expect(await ask('const a = 1')).toEqual({ status: 'complete' });
  expect(await ask('function f() {')).toEqual({ status: 'incomplete', indent: '  ' });
  expect(await ask('if (x) {\n  while (y) {\n    z(')).toEqual({ status: 'incomplete', indent: '      ' });
  expect(await ask('const text = `one')).toMatchObject({ status: 'incomplete' });
  expect(await ask('/* one')).toMatchObject({ status: 'incomplete' });
  expect(await ask('1 +')).toMatchObject({ status: 'incomplete' });
  // an object, and a question: the kernel runs both
  expect(await ask('{ a: 1, b: 2 }')).toEqual({ status: 'complete' });
  expect(await ask('Math?')).toEqual({ status: 'complete' });
  expect(await ask('foo bar')).toEqual({ status: 'invalid' });
  expect(await ask('}')).toEqual({ status: 'invalid' });
});

test('a line from the person, and what happens where there is none', async () => {
  const id = await kernel.send('execute_request', { code: 'prompt("name? ")', allow_stdin: true });
  const request = await kernel.next(({ type }) => type === 'input_request');
  expect(request).toMatchObject({ parent: id, content: { prompt: 'name? ', password: false } });
  await kernel.answerInput('Ada 😀');
  expect((await kernel.answer(id)).outputs.at(-1)!.content.data['text/plain']).toContain('Ada 😀');
  const refused = await kernel.execute('prompt("name? ")', { allow_stdin: false });
  expect(refused.reply.content.status).toBe('error');
});

test('comms are closed, debugging asks to be begun, and unknown messages are noted', async () => {
  const opened = await kernel.ask('comm_info_request', {});
  expect(opened.reply.content).toEqual({ status: 'ok', comms: {} });
  const id = await kernel.send('comm_open', { comm_id: 'c1', target_name: 'nobody', data: {} });
  const closed = await kernel.next(({ type }) => type === 'comm_close');
  expect(closed).toMatchObject({ parent: id, content: { comm_id: 'c1' } });
  const debug = { type: 'request', seq: 3, command: 'attach', arguments: {} };
  const { reply } = await kernel.ask('debug_request', debug, 'control');
  expect(reply.content).toMatchObject({ type: 'response', request_seq: 3, success: false });
  await kernel.send('sing_request', {});
  expect((await kernel.execute('1')).reply.content.status).toBe('ok');
  await vi.waitFor(() => expect(kernel.log).toContain('sing_request'));
});

test('other questions are answered while a cell runs, which is then shown as busy again', async () => {
  const id = await kernel.send('execute_request', { code: 'while (true) {}' });
  await kernel.next(({ type, parent }) => type === 'execute_input' && parent === id);
  const { reply } = await kernel.ask('complete_request', { code: 'Math.hyp', cursor_pos: 8 });
  expect(reply.content.matches).toContain('hypot');
  const inspected = await kernel.ask('inspect_request', { code: 'Math.hypot', cursor_pos: 10 });
  expect(inspected.reply.content).toMatchObject({ status: 'ok', found: true });
  await kernel.next(({ type, parent }) => type === 'status' && parent === id); // busy, when it began
  const again = await kernel.next(({ type, parent }) => type === 'status' && parent === id);
  expect(again.content.execution_state).toBe('busy');
  await kernel.ask('interrupt_request', {}, 'control');
  expect((await kernel.answer(id)).reply.content.status).toBe('error');
});

test('timers that outlive their cell print for that cell', async () => {
  const { reply } = await kernel.execute('setTimeout(() => console.log("late"), 50); 1');
  const late = await kernel.next(({ type }) => type === 'stream');
  expect(late.content.text).toBe('late\n');
  expect(late.parent).toBe(reply.parent);
});

test('two streams keep their order', async () => {
  const answer = await kernel.execute(
    'console.log("a"); console.error("b"); console.log("c"); console.log("d")',
  );
  expect(answer.outputs.filter(({ type }) => type === 'stream').map(({ content }) => content.text)).toEqual([
    'a\n',
    'b\n',
    'c\nd\n',
  ]);
  expect(streamText(answer)).toBe('a\nc\nd\n');
});
