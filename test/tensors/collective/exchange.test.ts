/** The exchange over sockets, its ranks in one process. */

import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Exchange, type ExchangeOptions } from '../../../src/tensors/collective/exchange.js';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const lost: string[] = [];

const options = (
  rank: number,
  size: number,
  port: number,
  more: Partial<ExchangeOptions> = {},
): ExchangeOptions => ({
  ...{ rank, size, port, host: '127.0.0.1', token: 'job', patience: 10 },
  onLost: (reason) => lost.push(`${rank}: ${reason}`),
  ...more,
});

async function join(size: number): Promise<Exchange[]> {
  const port = await freePort();
  // rank 0 comes last: the others look for it
  const ranks = Array.from({ length: size }, (_, rank) => rank).reverse();
  const joined = await Promise.all(ranks.map((rank) => Exchange.join(options(rank, size, port))));
  onTestFinished(async () => {
    await Promise.all(joined.map((exchange) => exchange.close()));
  });
  return joined.reverse();
}

test('bytes of any length come to all, in the order of ranks, round by round', async () => {
  const ranks = await join(4);
  const bytes = (rank: number, round: number) =>
    new Uint8Array((rank * 70_000) >> round).fill(10 * round + rank);
  for (let round = 0; round < 3; round++) {
    const all = await Promise.all(ranks.map((exchange, rank) => exchange.allGather(bytes(rank, round))));
    for (const parts of all) {
      expect(parts.map(({ length }) => length)).toEqual(
        [0, 1, 2, 3].map((rank) => bytes(rank, round).length),
      );
      for (const [rank, part] of parts.entries()) {
        expect(Buffer.compare(part, bytes(rank, round))).toBe(0);
      }
    }
  }
});

test('sums and broadcasts are the same bits on all ranks', async () => {
  const ranks = await join(3);
  const values = ranks.map((_, rank) => Float64Array.of(0.1 * (rank + 1), 1e16, -rank));
  await Promise.all(ranks.map((exchange, rank) => exchange.allReduce(values[rank]!)));
  for (const own of values) expect([...own]).toEqual([0.1 + 0.2 + 0.1 * 3, 3e16, -3]);
  const floats = ranks.map((_, rank) => Float32Array.of(rank + 0.5));
  await Promise.all(ranks.map((exchange, rank) => exchange.allReduce(floats[rank]!)));
  expect(floats.map(([value]) => value)).toEqual([4.5, 4.5, 4.5]);
  const texts = ranks.map((_, rank) => Uint8Array.of(rank, rank));
  await Promise.all(ranks.map((exchange, rank) => exchange.broadcast(texts[rank]!, 2)));
  expect(texts.map((own) => [...own])).toEqual([
    [2, 2],
    [2, 2],
    [2, 2],
  ]);
});

test('a large message is joined once, however many pieces it comes in', async () => {
  const ranks = await join(2);
  const size = 16 * 2 ** 20;
  const own = [new Uint8Array(size).map((_, i) => i % 251), new Uint8Array(size)];
  const joined = vi.spyOn(Buffer, 'concat');
  onTestFinished(() => void joined.mockRestore());
  await Promise.all(ranks.map((exchange, rank) => exchange.broadcast(own[rank]!, 0)));
  expect(Buffer.compare(own[0]!, own[1]!)).toBe(0);
  const bytes = joined.mock.results.reduce((sum, { value }) => sum + (value as Buffer).length, 0);
  expect(bytes).toBeLessThan(4 * size);
});

test('a rank that is gone ends what the others wait for, and they know which', async () => {
  const port = await freePort();
  lost.length = 0;
  const sockets: Exchange[] = await Promise.all(
    [0, 1, 2].map((rank) => Exchange.join(options(rank, 3, port))),
  );
  const waiting = [0, 1].map((rank) => sockets[rank]!.allGather(Uint8Array.of(rank)));
  const results = Promise.allSettled(waiting);
  // as a process that is killed: no goodbye
  const exit = process.exit;
  process.exit = (() => undefined) as never;
  sockets[2]!.abort(1);
  process.exit = exit;
  const reasons = (await results).map(
    (result) => result.status === 'rejected' && String(result.reason.message),
  );
  for (const reason of reasons) expect(reason).toMatch(/^rank 2 \(on .+\) has ended; the others stop$/);
  expect(lost.map((line) => line.slice(0, 1)).sort()).toEqual(['0', '1']);
  await expect(sockets[0]!.allGather(new Uint8Array())).rejects.toThrow('rank 2');
  await Promise.all([sockets[0]!.close(), sockets[1]!.close()]);
});

test('a port in use is one line that says what to do', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await expect(Exchange.join(options(0, 2, port))).rejects.toThrow(
    `MASTER_PORT: port ${port} is in use: give all ranks another MASTER_PORT`,
  );
  await new Promise((resolve) => server.close(resolve));
});

test('whoever does not belong to the job is not let in, and does not disturb it', async () => {
  const port = await freePort();
  const first = Exchange.join(options(0, 2, port));
  await expect(Exchange.join(options(1, 2, port, { token: 'other' }))).rejects.toThrow(
    'another job waits there',
  );
  await expect(Exchange.join(options(1, 3, port))).rejects.toThrow('rank 0 expects 2 ranks, this one 3');
  // something else altogether
  const stranger = connect(port, '127.0.0.1');
  stranger.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await new Promise((resolve) => stranger.once('close', resolve));
  const second = await Exchange.join(options(1, 2, port));
  const joined = await first;
  await Promise.all([joined.barrier(), second.barrier()]);
  await Promise.all([joined.close(), second.close()]);
});

test('ranks that do not come are named', async () => {
  const port = await freePort();
  await expect(Exchange.join(options(0, 3, port, { patience: 0.2 }))).rejects.toThrow(
    'rank 1, 2 of 3 did not come',
  );
  await expect(Exchange.join(options(1, 3, port, { patience: 0.2 }))).rejects.toThrow('rank 0 was not found');
});
