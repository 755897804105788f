import { createReadStream, fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { isatty, ReadStream } from 'node:tty';
import { workerData } from 'node:worker_threads';
import type { EngineConnection, FromEngine, ToEngine } from '../contract.js';
import { connectToEngine } from '../host/connection.js';
import type { TransportData } from '../host/host.js';

/** What arrives on standard input, one JSON object on a line. */
export type BridgeRequest =
  | Extract<ToEngine, { type: 'execute' | 'properties' | 'describe' }>
  | { type: 'interrupt' }
  /** The answer to an `input-request`; without a text, there is no one to ask. */
  | { type: 'input'; id?: string; text?: string }
  | { type: 'shutdown' };

/** What leaves on standard output, one JSON object on a line. */
export type BridgeAnswer =
  | FromEngine
  | { type: 'ready'; versions: { kernel: string; node: string } }
  /** A line that was no request. */
  | { type: 'protocol-error'; message: string };

declare const __ARCLAB_VERSION__: string;

/** The transport thread of the bridge. */
export function serveLines(): void {
  const { streams } = workerData as TransportData<undefined>;
  const engine = connectToEngine();
  const send = (answer: BridgeAnswer) => writeAll(streams.stdout, `${JSON.stringify(answer)}\n`);
  engine.onMessage(send);
  send({ type: 'ready', versions: { kernel: __ARCLAB_VERSION__, node: process.version } });
  const lines = createInterface({ input: openInput(streams.stdin) });
  lines.on('line', (line) => {
    if (line.trim() === '') return;
    try {
      handle(engine, JSON.parse(line) as BridgeRequest);
    } catch (error) {
      send({ type: 'protocol-error', message: `${(error as Error).message}: ${line.slice(0, 200)}` });
    }
  });
  // the process that started the bridge is gone
  lines.on('close', () => engine.shutdown());
}

/** Reads a file descriptor; a pipe as a socket, because a read that waits in a thread of libuv's holds up the exit. */
function openInput(fd: number): NodeJS.ReadableStream {
  const stat = fstatSync(fd);
  if (stat.isFIFO() || stat.isSocket()) return new Socket({ fd, readable: true, writable: false });
  return isatty(fd) ? new ReadStream(fd) : createReadStream('', { fd });
}

function handle(engine: EngineConnection, request: BridgeRequest): void {
  switch (request.type) {
    case 'execute': {
      const { id, request: cell } = request;
      if (typeof id !== 'string' || typeof cell?.code !== 'string' || typeof cell.name !== 'string') {
        throw new TypeError('execute needs an "id" and a "request" with "code" and "name", all strings');
      }
      engine.send(request);
      break;
    }
    case 'properties':
    case 'describe':
      engine.send(request);
      break;
    case 'interrupt':
      engine.interrupt();
      break;
    case 'input':
      engine.input(request.text);
      break;
    case 'shutdown':
      engine.shutdown();
      break;
    default:
      throw new TypeError(`unknown type ${JSON.stringify((request as { type?: unknown }).type)}`);
  }
}

/** Writes everything, waiting where the reader is slow: a pipe takes only so much at a time. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
