import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it, test, vi } from 'vitest';
import { Subscriber } from 'zeromq';
import { IoPub } from '../../../kernel/jupyter/iopub.js';
import {
  type ClientState,
  hasRoom,
  Publisher,
  type PublisherHandlers,
  STALLED_MS,
  stalledClients,
  UNSENT_BYTES,
} from '../../../kernel/jupyter/publisher.js';
import { Wire } from '../../../kernel/jupyter/wire.js';
import {
  encodeMessage,
  type Frames,
  greeting,
  ready,
  SubscriberDecoder,
} from '../../../kernel/jupyter/zmtp.js';
import { freePorts, KernelClient, streamText } from './client.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What a subscriber sends first, with these subscriptions as messages. */
function hello(...topics: string[]): Buffer {
  const subscriptions = topics.flatMap((topic) => encodeMessage([Buffer.from(`\x01${topic}`)]));
  return Buffer.concat([greeting(), ready('SUB'), ...subscriptions]);
}

describe('ZMTP', () => {
  it('is understood however the bytes are cut', () => {
    const bytes = Buffer.concat([
      hello('', 'kernel.', 'x'.repeat(300)),
      ...encodeMessage([Buffer.from('\x00x')]),
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: bytes.length })), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const decoder = new SubscriberDecoder();
        const found = places.slice(1).flatMap((end, i) => decoder.take(bytes.subarray(places[i], end)));
        expect(found.map(({ type }) => type)).toEqual([
          'ready',
          'subscribe',
          'subscribe',
          'subscribe',
          'cancel',
        ]);
      }),
    );
  });

  it('refuses what is no subscriber', () => {
    expect(() => new SubscriberDecoder().take(Buffer.from('GET / HTTP/1.1\r\n'.repeat(5)))).toThrow('ZMTP');
    const curve = greeting();
    curve.write('CURVE', 12);
    expect(() => new SubscriberDecoder().take(curve)).toThrow('CURVE');
    const decoder = new SubscriberDecoder();
    decoder.take(greeting());
    expect(() => decoder.take(Buffer.from([2, 0, 0, 0, 1, 0, 0, 0, 0]))).toThrow('bytes from a subscriber');
  });
});

describe('who loses output', () => {
  const client = (part: Partial<ClientState>): ClientState => ({
    unsentBytes: 0,
    lastTaken: 0,
    isLosing: false,
    ...part,
  });
  const stuck = client({ unsentBytes: UNSENT_BYTES + 1 });
  const slow = client({ unsentBytes: UNSENT_BYTES + 1, lastTaken: 1 });
  const fast = client({ lastTaken: STALLED_MS });
  const losing = client({ unsentBytes: UNSENT_BYTES + 1, isLosing: true });

  it.each<[string, ClientState[], ClientState[], boolean]>([
    ['nobody where there is nobody', [], [], true],
    ['the one that takes nothing, beside one that does', [stuck, fast], [stuck], false],
    ['none where all of them take nothing', [stuck, stuck], [], false],
    ['none where the only one takes nothing', [stuck], [], false],
    ['none that takes a little', [slow, fast], [], false],
    ['those beside one that takes a little', [stuck, slow], [stuck], false],
    ['the last one too, where another loses already: no', [losing, stuck], [], false],
    ['nobody else, and cells go on beside one that loses', [losing, fast], [], true],
  ])('%s', (_name, clients, expected, room) => {
    expect(stalledClients(clients, STALLED_MS)).toEqual(expected);
    expect(hasRoom(clients)).toBe(room);
  });
});

async function publisher(
  handlers: Partial<PublisherHandlers> = {},
): Promise<{ publisher: Publisher; port: number; log: string[] }> {
  const log: string[] = [];
  const made = new Publisher({
    ...handlers,
    onSubscription: (topic, welcome) => welcome([topic, Buffer.from('welcome')]),
    lossNote: (bytes) => [Buffer.from('note'), Buffer.from(String(bytes))],
    log: (text) => log.push(text),
  });
  const [port] = await freePorts(1);
  await made.listen({ ip: '127.0.0.1', port: port! });
  closing.push(() => made.close(0));
  return { publisher: made, port: port!, log };
}

describe('with the subscribers of ZeroMQ', () => {
  test('all parts of all sizes arrive in order, by topic', async () => {
    const { publisher: made, port } = await publisher();
    const all = new Subscriber({ receiveHighWaterMark: 0 });
    const some = new Subscriber({ receiveHighWaterMark: 0 });
    closing.push(
      () => all.close(),
      () => some.close(),
    );
    for (const socket of [all, some]) socket.connect(`tcp://127.0.0.1:${port}`);
    all.subscribe('');
    some.subscribe('kernel.b');
    expect((await all.receive()).map(String)).toEqual(['', 'welcome']);
    expect((await some.receive()).map(String)).toEqual(['kernel.b', 'welcome']);
    const messages = [0, 1, 255, 256, 65_535, 65_536, 3_000_000].map(
      (length, i): Frames => [
        Buffer.from(`kernel.${i % 2 === 0 ? 'a' : 'b'}`),
        randomBytes(length),
        Buffer.alloc(0),
      ],
    );
    for (const message of messages) made.send(message);
    for (const message of messages)
      expect((await all.receive()).map((f, i) => f.equals(message[i]!))).toEqual([true, true, true]);
    for (const i of [1, 3, 5]) expect((await some.receive())[1]!.equals(messages[i]![1]!)).toBe(true);
    some.unsubscribe('kernel.b');
    some.subscribe('other');
    await some.receive();
    made.send([Buffer.from('kernel.b')]);
    made.send([Buffer.from('other'), Buffer.from('last')]);
    expect((await some.receive()).map(String)).toEqual(['other', 'last']);
  });

  test('messages of one turn are one write', async () => {
    const { publisher: made, port } = await publisher();
    const socket = await silentSubscriber(port);
    const chunks: Buffer[] = [];
    socket.on('data', (bytes) => chunks.push(bytes)).resume();
    await sleep(200);
    const write = vi.spyOn(Socket.prototype, 'write');
    closing.push(() => write.mockRestore());
    for (const text of ['busy', 'input', 'result', 'idle']) made.send([Buffer.from('t'), Buffer.from(text)]);
    await vi.waitFor(() => expect(Buffer.concat(chunks).toString('latin1')).toContain('idle'));
    expect(write).toHaveBeenCalledTimes(1);
    expect(Buffer.concat(chunks).toString('latin1')).toMatch(/busy.*input.*result.*idle/s);
  });

  test('what is unsent is sent before it closes', async () => {
    const { publisher: made, port } = await publisher();
    const socket = new Subscriber({ receiveHighWaterMark: 0 });
    closing.push(() => socket.close());
    socket.connect(`tcp://127.0.0.1:${port}`);
    socket.subscribe('');
    await socket.receive();
    for (let i = 0; i < 50; i++) made.send([Buffer.from('t'), Buffer.alloc(100_000, i)]);
    await made.close(2000);
    for (let i = 0; i < 50; i++) expect((await socket.receive())[1]![0]).toBe(i);
  });

  test('a program that only looks whether somebody listens, as VS Code does, disturbs nobody', async () => {
    const { publisher: made, port, log } = await publisher();
    for (let times = 0; times < 3; times++) {
      const looking = connect(port, '127.0.0.1');
      await new Promise((resolve) => looking.on('connect', resolve));
      if (times === 0) looking.end();
      else looking.resetAndDestroy();
    }
    const socket = new Subscriber();
    closing.push(() => socket.close());
    socket.connect(`tcp://127.0.0.1:${port}`);
    socket.subscribe('');
    await socket.receive();
    made.send([Buffer.from('t'), Buffer.from('heard')]);
    expect((await socket.receive()).map(String)).toEqual(['t', 'heard']);
    expect(log).toEqual([]);
  });

  test('another protocol is turned away, and the others go on', async () => {
    const { port, log } = await publisher();
    const stranger = connect(port, '127.0.0.1');
    stranger.on('error', () => {}).resume();
    stranger.write('GET / HTTP/1.1\r\n'.repeat(10));
    await new Promise((resolve) => stranger.on('close', resolve));
    expect(log.join()).toContain('does not speak ZMTP');
  });
});

/** A subscriber that reads nothing until `resume` is called. */
async function silentSubscriber(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  closing.push(() => socket.destroy());
  await new Promise((resolve) => socket.on('connect', resolve));
  socket.write(hello(''));
  socket.pause();
  await sleep(200);
  return socket;
}

test('a message that is on its way is told, and when it has left', async () => {
  const told: (number | boolean)[] = [];
  const { publisher: made, port } = await publisher({
    onSent: (position) => told.push(position),
    onSending: (isSending) => told.push(isSending),
  });
  const silent = await silentSubscriber(port);
  made.send([Buffer.from('t')], false, 1);
  await vi.waitFor(() => expect(told).toEqual([true, 1, false]));
  const count = 200;
  for (let i = 0; i < count; i++) made.send([Buffer.from('t'), Buffer.alloc(100_000)], false, 2 + i);
  // until the system's buffers are full
  await sleep(500);
  expect(told.at(-1)).toBe(true);
  silent.resume();
  await vi.waitFor(() => expect(told.at(-1)).toBe(false), 10_000);
  expect(told.filter((one) => typeof one === 'number').at(-1)).toBe(1 + count);
});

test('what one client has and another waits for may be sent again', async () => {
  const told: boolean[] = [];
  const { publisher: made, port } = await publisher({ onSending: (isSending) => told.push(isSending) });
  const silent = await silentSubscriber(port);
  const reader = await silentSubscriber(port);
  let bytes = 0;
  reader.on('data', ({ length }) => {
    bytes += length;
  });
  reader.resume();
  // one message that is longer than what the system takes for who does not read
  made.send([Buffer.from('t'), Buffer.alloc(20_000_000)], false, 1);
  await vi.waitFor(() => expect(bytes).toBeGreaterThan(20_000_000), 10_000);
  await vi.waitFor(() => expect(told.at(-1)).toBe(true));
  silent.resume();
  await vi.waitFor(() => expect(told.at(-1)).toBe(false), 10_000);
});

test('a client that takes nothing has cells wait where it is alone, and loses output alone where others go on', async () => {
  const { publisher: made, port } = await publisher();
  const now = vi.spyOn(Date, 'now');
  const begin = Date.now();
  const silent = await silentSubscriber(port);
  const block = Buffer.alloc(1_000_000, 'x');
  for (let i = 0; i < 100; i++) made.send([Buffer.from('t'), block], true);
  // until the system's buffers are full
  await sleep(500);
  now.mockReturnValue(begin + 2 * STALLED_MS);
  const alone = made.room();
  expect(alone).toBeInstanceOf(Promise);
  expect(await Promise.race([alone, sleep(1500, 'waits')])).toBe('waits');
  const reader = new Subscriber({ receiveHighWaterMark: 0 });
  closing.push(() => reader.close());
  reader.connect(`tcp://127.0.0.1:${port}`);
  reader.subscribe('');
  await reader.receive();
  await alone;
  for (let i = 0; i < 30; i++) made.send([Buffer.from('u'), block], true);
  made.send([Buffer.from('state')]);
  for (let i = 0; i < 30; i++) expect((await reader.receive())[0]!.toString()).toBe('u');
  expect(made.room()).toBeUndefined();
  const got: Buffer[] = [];
  silent.on('data', (bytes) => got.push(bytes));
  silent.resume();
  await vi.waitFor(() => expect(Buffer.concat(got.slice(-3)).toString('latin1')).toContain('note'), 10_000);
  const text = Buffer.concat(got).toString('latin1');
  now.mockRestore();
  // all of the first, none of the second, the state, and how much is missing: 30 million bytes and their headers
  expect(text.match(/x+/g)!.reduce((sum, { length }) => sum + length, 0)).toBe(100_000_000);
  expect(text).toContain('state');
  expect(Number(/note.*?(\d{8})/s.exec(text)![1])).toBeGreaterThan(30_000_000);
}, 60_000);

test('a client that has lost output is told how much, below the cell that has shown something last', () => {
  const wire = new Wire('', 'sha256');
  const iopub = new IoPub(wire, { send: () => {} });
  const [cell, other] = ['1', '2'].map((msg_id) => {
    return { msg_id, msg_type: 'execute_request', session: '', username: '', date: '', version: '5.4' };
  });
  iopub.output({ type: 'stream', name: 'stdout', text: 'shown' }, cell);
  iopub.status('idle', cell);
  iopub.status('busy', other);
  const { header, parentHeader, content } = wire.decode(iopub.lossNote(30_400_000));
  expect(header.msg_type).toBe('stream');
  expect(parentHeader.msg_id).toBe('1');
  expect(content).toEqual({
    name: 'stderr',
    text: expect.stringMatching(/ 30 MB of output are missing here/),
  });
});

const megabytes = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

/** Seconds that all threads of a process have computed. */
const processorSeconds = (pid: number) => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

test.runIf(process.platform === 'linux')(
  'a cell that prints waits for a client that takes nothing; it can be interrupted, and nothing is lost',
  async () => {
    const kernel = await KernelClient.start({ env: { ARCLAB_KERNEL_TYPES: 'off' }, outputLimit: 4 });
    closing.push(() => kernel.close());
    await kernel.execute(
      'let printed = 0; const line = "x".repeat(999) + "\\n"; for (let i = 0; i < 3000; i++) console.log(line)',
    );
    const pid = Number((await kernel.execute('process.pid')).outputs.at(-1)!.content.data['text/plain']);
    const before = megabytes(pid);
    kernel.pauseOutput();
    const id = await kernel.send('execute_request', {
      code: 'for (;;) { process.stdout.write(line); printed++; }',
    });
    const sizes: number[] = [];
    // until it stands still, which a busy machine may take its time for
    let worked = Infinity;
    while (worked > 0.05 && sizes.length < 45) {
      const start = processorSeconds(pid);
      await sleep(1000);
      worked = processorSeconds(pid) - start;
      sizes.push(megabytes(pid));
    }
    expect(worked).toBeLessThanOrEqual(0.05);
    expect(Math.max(...sizes) - before).toBeLessThan(128);
    await kernel.send('interrupt_request', {}, 'control');
    const reply = await kernel.reply(id);
    expect(reply.content).toMatchObject({ status: 'error', ename: 'KernelInterrupted' });
    kernel.resumeOutput();
    const answer = { reply, outputs: await kernel.outputs(id) };
    const count = Number((await kernel.execute('printed')).outputs.at(-1)!.content.data['text/plain']);
    const text = streamText(answer);
    expect(count).toBeGreaterThan(60_000);
    // the last line may have been cut off by the interrupt before it was counted
    expect(Math.abs(text.length / 1000 - count)).toBeLessThanOrEqual(1);
    expect(new Set(text.slice(0, count * 1000).split('\n')).size).toBe(2);
  },
  60_000,
);
