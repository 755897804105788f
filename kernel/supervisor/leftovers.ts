/** What a kernel that died has left in the memory and the pipes that its supervisor holds open. */
import { constants, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import type { FromEngine } from '../contract.js';
import { KeptMemory } from '../host/kept-memory.js';
import { RecordKind, type RingRecord } from '../host/ring.js';
import { type PendingCells, readPending } from '../jupyter/pending.js';

/** The supervisor's file descriptors. */
const FDS = { memory: 7, stdout: 8, stderr: 9 };

export interface Leftovers {
  memory: KeptMemory;
  /** Undefined where the kernel had not begun to listen. */
  pending: PendingCells | undefined;
  /** Output of cells that was not sent to any client, in order. */
  messages: FromEngine[];
  /** Whether clients may have got some of the messages already. */
  mayRepeat: boolean;
  /** Bytes of output that could not be kept, because a client took it too slowly. */
  lostBytes: number;
  /** What child processes and native code wrote last. */
  stdout: string;
  stderr: string;
}

/** Reads all of it. */
export function readLeftovers(): Leftovers {
  const { stdout, stderr, ...left } = leftoversIn(readMemory(FDS.memory));
  return { ...left, stdout: stdout + readPipe(FDS.stdout), stderr: stderr + readPipe(FDS.stderr) };
}

/** What is in the memory. */
export function leftoversIn(memory: KeptMemory): Leftovers {
  const pending = readPending(memory);
  const { records, lostBytes } = memory.unsent();
  // the end of what native code has said belongs to what it had not even handed over
  const count = 1 + records.findLastIndex(({ kind }) => !isNative(kind));
  const textOf = (wanted: RecordKind) =>
    Buffer.concat(
      records.slice(count).flatMap(({ kind, bytes }) => (kind === wanted ? [bytes] : [])),
    ).toString();
  const messages = messagesOf(records.slice(0, count), pending?.last?.cell?.id ?? '');
  return {
    memory,
    pending,
    messages,
    mayRepeat: memory.isSending && messages.some(({ type }) => type === 'output'),
    lostBytes,
    stdout: textOf(RecordKind.NativeStdout),
    stderr: textOf(RecordKind.NativeStderr),
  };
}

function isNative(kind: RecordKind): boolean {
  return kind === RecordKind.NativeStdout || kind === RecordKind.NativeStderr;
}

function readMemory(fd: number): KeptMemory {
  const bytes = new Uint8Array(new ArrayBuffer(KeptMemory.bytes));
  let length = 0;
  for (let count = -1; count !== 0; length += count) {
    count = readSync(fd, bytes, length, bytes.length - length, length);
  }
  return new KeptMemory(bytes.buffer);
}

/** What is in a pipe now: a process that the kernel has started may keep it open. */
function readPipe(inherited: number): string {
  const fd = openSync(`/proc/self/fd/${inherited}`, constants.O_RDONLY | constants.O_NONBLOCK);
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = Buffer.alloc(64 * 1024);
    let count = 0;
    try {
      count = readSync(fd, piece);
    } catch {
      // it is empty
    }
    if (count === 0) return Buffer.concat(pieces).toString();
    pieces.push(piece.subarray(0, count));
  }
}

/** Messages of the records. @param owner whose output the first ones are */
function messagesOf(records: readonly RingRecord[], owner: string): FromEngine[] {
  const messages: FromEngine[] = [];
  const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  let id = owner;
  let json: Uint8Array[] = [];
  for (const { kind, bytes } of records) {
    switch (kind) {
      case RecordKind.Owner:
        id = Buffer.from(bytes).toString();
        break;
      case RecordKind.JsonStart:
        json = [bytes];
        break;
      case RecordKind.JsonPart:
        json.push(bytes);
        break;
      case RecordKind.Json:
      case RecordKind.JsonEnd: {
        const parts = kind === RecordKind.Json ? [bytes] : [...json, bytes];
        messages.push(JSON.parse(Buffer.concat(parts).toString()) as FromEngine);
        break;
      }
      default: {
        const name = kind === RecordKind.Stdout || kind === RecordKind.NativeStdout ? 'stdout' : 'stderr';
        const text = decoders[name].write(Buffer.from(bytes));
        messages.push({ type: 'output', id, output: { type: 'stream', name, text } });
      }
    }
  }
  return messages;
}
