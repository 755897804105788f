import { afterAll, beforeAll, expect, test } from 'vitest';
import { KernelClient, type Received, streamText } from '../jupyter/client.js';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await KernelClient.start({ env: { ARCLAB_KERNEL_TYPES: 'off' } });
});
afterAll(() => kernel.close());

const comm = (type: string, id: string) => (message: Received) =>
  message.type === type && message.content.comm_id === id;
/** Everything that is published for a message without a reply until it was handled. */
async function outputsOf(id: string): Promise<Received[]> {
  const outputs: Received[] = [];
  for (;;) {
    const message = await kernel.next(({ parent }) => parent === id);
    const state = message.type === 'status' && message.content.execution_state;
    if (state === 'idle') return outputs;
    if (state !== 'busy') outputs.push(message);
  }
}
const openComms = async (target_name?: string) =>
  (await kernel.ask('comm_info_request', { target_name })).reply.content.comms;

test('a cell opens a comm, sends, receives and closes, with buffers both ways', async () => {
  const { outputs } = await kernel.execute(`
    const floats = new Float32Array([1, 2.5]);
    const channel = comm.open('plotter', { title: 'loss' }, { metadata: { version: '1' }, buffers: [floats.buffer] });
    channel.on('message', (data, { buffers, metadata }) => {
      console.log(JSON.stringify({ data, metadata, bytes: buffers.map((bytes) => [...bytes]) }));
      channel.send({ echo: data }, { buffers: [...buffers].reverse() });
    });
    channel.on('close', (data) => console.log('closed', data.why));
    channel.id`);
  const opened = outputs.find(({ type }) => type === 'comm_open')!;
  const id = opened.content.comm_id;
  expect(outputs.at(-1)!.content.data['text/plain']).toContain(id);
  expect(opened).toMatchObject({
    content: { target_name: 'plotter', data: { title: 'loss' } },
    metadata: { version: '1' },
    buffers: [Buffer.from(new Float32Array([1, 2.5]).buffer)],
  });
  expect(await openComms()).toEqual({ [id]: { target_name: 'plotter' } });
  expect(await openComms('other')).toEqual({});

  const bytes = [Buffer.from([0, 255]), Buffer.from('second')];
  const sent = await kernel.send('comm_msg', { comm_id: id, data: { zoom: 2 } }, 'shell', bytes);
  const echo = await kernel.next(comm('comm_msg', id));
  expect(echo.content.data).toEqual({ echo: { zoom: 2 } });
  expect(echo.buffers).toEqual(bytes.reverse());
  await outputsOf(sent);
  const printed = await kernel.next(({ type }) => type === 'stream');
  // as output of the cell that listens
  expect(printed.parent).toBe(opened.parent);
  expect(JSON.parse(printed.content.text)).toEqual({
    data: { zoom: 2 },
    metadata: {},
    bytes: [[0, 255], [...Buffer.from('second')]],
  });

  await kernel.send('comm_close', { comm_id: id, data: { why: 'enough' } });
  expect((await kernel.next(({ type }) => type === 'stream')).content.text).toBe('closed enough\n');
  expect(await openComms()).toEqual({});
  const late = await kernel.execute('channel.send({})');
  expect(late.reply.content.evalue).toContain('the comm "plotter" is closed; open a new one');
});

test('the client opens a comm to a target that a cell has registered', async () => {
  await kernel.execute(`
    comm.register('counter', (channel, data) => {
      let count = data.from;
      channel.on('message', ({ by }) => channel.send({ count: (count += by) }));
    })`);
  await kernel.send('comm_open', { comm_id: 'c1', target_name: 'counter', data: { from: 40 } });
  await kernel.send('comm_msg', { comm_id: 'c1', data: { by: 1 } });
  await kernel.send('comm_msg', { comm_id: 'c1', data: { by: 1 } });
  const counts = [await kernel.next(comm('comm_msg', 'c1')), await kernel.next(comm('comm_msg', 'c1'))];
  expect(counts.map(({ content }) => content.data.count)).toEqual([41, 42]);
  expect(await openComms()).toEqual({ c1: { target_name: 'counter' } });
  await kernel.execute("comm.unregister('counter')");
  await kernel.send('comm_open', { comm_id: 'c2', target_name: 'counter', data: {} });
  await kernel.next(comm('comm_close', 'c2'));
  await kernel.send('comm_close', { comm_id: 'c1', data: {} });
});

test('an open that comes before its target is registered waits for the cells that were sent before it', async () => {
  const cell = await kernel.send('execute_request', {
    code: "await new Promise((done) => setTimeout(done, 50)); comm.register('late', (channel) => channel.send({ here: true }))",
  });
  await kernel.send('comm_open', { comm_id: 'l1', target_name: 'late', data: {} });
  expect((await kernel.next(comm('comm_msg', 'l1'))).content.data).toEqual({ here: true });
  await kernel.answer(cell);
  await kernel.send('comm_close', { comm_id: 'l1', data: {} });
});

test('a cell that awaits sees what the client sends, and one that computes is told afterwards', async () => {
  await kernel.execute("const line = comm.open('line', {}, { id: 'line' })");
  const waiting = await kernel.send('execute_request', {
    code: "import { once } from 'node:events'; (await once(line, 'message'))[0].value",
  });
  await kernel.next(({ type, parent }) => type === 'execute_input' && parent === waiting);
  await new Promise((done) => setTimeout(done, 100));
  await kernel.send('comm_msg', { comm_id: 'line', data: { value: 'moved' } });
  const { outputs } = await kernel.answer(waiting);
  expect(outputs.at(-1)!.content.data['text/plain']).toContain('moved');

  await kernel.execute("line.on('message', ({ value }) => { globalThis.seen = value; })");
  const busy = await kernel.send('execute_request', {
    code: 'const end = Date.now() + 400; while (Date.now() < end); typeof seen',
  });
  await kernel.next(({ type, parent }) => type === 'execute_input' && parent === busy);
  await new Promise((done) => setTimeout(done, 100));
  const message = await kernel.send('comm_msg', { comm_id: 'line', data: { value: 7 } });
  // which comms are open is known although the main thread computes
  expect(await openComms('line')).toEqual({ line: { target_name: 'line' } });
  expect((await kernel.answer(busy)).outputs.at(-1)!.content.data['text/plain']).toContain('undefined');
  await outputsOf(message);
  expect((await kernel.execute('seen')).outputs.at(-1)!.content.data['text/plain']).toBe('7');
});

test('an unknown target, an unknown comm and malformed messages are answered, and the kernel goes on', async () => {
  const open = await kernel.send('comm_open', { comm_id: 'u1', target_name: 'nowhere', data: {} });
  expect(await outputsOf(open)).toMatchObject([{ type: 'comm_close', content: { comm_id: 'u1' } }]);
  const message = await kernel.send('comm_msg', { comm_id: 'u2', data: {} });
  expect(await outputsOf(message)).toMatchObject([{ type: 'comm_close', content: { comm_id: 'u2' } }]);
  expect(await outputsOf(await kernel.send('comm_close', { comm_id: 'u3', data: {} }))).toEqual([]);
  const wrong = [
    ['comm_open', {}],
    ['comm_open', { comm_id: 5, target_name: 'nowhere' }],
    ['comm_open', { comm_id: 'w1' }],
    ['comm_msg', { comm_id: 'w2', data: [1] }],
    ['comm_msg', { comm_id: 'line', data: 'text' }],
    ['comm_msg', { comm_id: '__proto__', data: {} }],
    ['comm_close', { comm_id: null }],
  ] as const;
  for (const [type, content] of wrong) {
    const published = await outputsOf(await kernel.send(type, content));
    const id = 'comm_id' in content ? content.comm_id : undefined;
    const isAnswered = typeof id === 'string' && id !== 'line';
    expect(published.map(({ type }) => type)).toEqual(isAnswered ? ['comm_close'] : []);
  }
  expect(kernel.log).toContain('ignored a comm_open: its comm_id is missing or no text');
  expect(kernel.log).toContain('ignored a comm_msg: its data is no object');
  // a comm that works is still open
  expect(await openComms('line')).toEqual({ line: { target_name: 'line' } });
  await kernel.send('comm_open', { comm_id: 'line', target_name: 'line', data: {} });
  expect((await kernel.execute('1')).reply.content.status).toBe('ok');
  expect(kernel.log).toContain('ignored a comm_open: there is an open comm with the id "line"');
});

test.each([
  ['comm.open("x", [1])', 'the data of a comm message must be an object, and is an array'],
  ['comm.open("x", { n: 1n })', 'cannot be written as JSON'],
  ['comm.open("x", {}, { buffers: ["text"] })', 'must be an ArrayBuffer or a typed array, and is string'],
  ['comm.open()', 'needs the name'],
  ['comm.open("x", {}, { id: "line" })', 'an open comm with the id "line" already'],
  ['comm.register("x")', 'needs a function'],
  ['line.on("message")', 'needs a function'],
])('a mistake in a cell is an error of that cell: %s', async (code, text) => {
  expect((await kernel.execute(code)).reply.content.evalue).toContain(text);
  expect(await openComms('x')).toEqual({});
});

test('a listener that throws is an error of its cell, and the others are called', async () => {
  const { outputs } = await kernel.execute(`
    const bad = comm.open('bad', {}, { id: 'bad' });
    bad.on('message', () => { throw new RangeError('too far'); });
    bad.on('message', async () => { await null; throw new TypeError('later'); });
    bad.once('message', () => console.log('still called'));
    comm.register('refusing', () => { throw new Error('no'); });`);
  const { parent } = outputs[0]!;
  for (let times = 0; times < 2; times++) await outputsOf(await kernel.send('comm_msg', { comm_id: 'bad' }));
  const errors = [1, 2, 3, 4].map(() => kernel.next(({ type }) => type === 'error'));
  const names = (await Promise.all(errors)).map((message) => [message.parent, message.content.ename]);
  expect(names.sort()).toEqual([
    [parent, 'RangeError'],
    [parent, 'RangeError'],
    [parent, 'TypeError'],
    [parent, 'TypeError'],
  ]);
  expect((await kernel.next(({ type }) => type === 'stream')).content.text).toBe('still called\n');
  const open = await kernel.send('comm_open', { comm_id: 'r1', target_name: 'refusing', data: {} });
  await outputsOf(open);
  await kernel.next(comm('comm_close', 'r1'));
  expect(await openComms('refusing')).toEqual({});
});

test('an interrupt ends a listener that computes, with a cell and without one, and the message is done', async () => {
  await kernel.execute(`
    const loop = comm.open('loop', {}, { id: 'loop' });
    loop.on('message', ({ forever }) => { while (forever); console.log('heard'); });`);
  for (const withCell of [true, false, true, false]) {
    const cell = withCell && (await kernel.send('execute_request', { code: 'await new Promise(() => {})' }));
    if (cell) await kernel.next(({ type, parent }) => type === 'execute_input' && parent === cell);
    const message = await kernel.send('comm_msg', { comm_id: 'loop', data: { forever: true } });
    await new Promise((done) => setTimeout(done, 50));
    await kernel.ask('interrupt_request', {}, 'control');
    await outputsOf(message);
    if (cell) expect((await kernel.answer(cell)).reply.content.ename).toBe('KernelInterrupted');
    await outputsOf(await kernel.send('comm_msg', { comm_id: 'loop', data: {} }));
    expect((await kernel.next(({ type }) => type === 'stream')).content.text).toBe('heard\n');
  }
});

test('what an interrupted cell listens to is not heard any more', async () => {
  const cell = await kernel.send('execute_request', {
    code: "line.on('message', () => console.log('ghost')); await new Promise(() => {})",
  });
  await kernel.next(({ type, parent }) => type === 'execute_input' && parent === cell);
  await new Promise((done) => setTimeout(done, 50));
  await kernel.ask('interrupt_request', {}, 'control');
  await kernel.answer(cell);
  await outputsOf(await kernel.send('comm_msg', { comm_id: 'line', data: { value: 8 } }));
  const answer = await kernel.execute('console.log("mine"); seen');
  expect(streamText(answer)).toBe('mine\n');
  expect(answer.outputs.at(-1)!.content.data['text/plain']).toBe('8');
});
