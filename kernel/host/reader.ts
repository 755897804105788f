import { StringDecoder } from 'node:string_decoder';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { FromEngine } from '../contract.js';
import { type Channel, RecordKind, type RingRecord } from './channel.js';
import type { NativeReader } from './native-output.js';
import type { RingMessage } from './output.js';

/** Text of one stream is put together up to this length before it is handed over, in UTF-16 units. */
const MAX_TEXT = 512 * 1024;
/** Text is handed over at most this often, in ms. */
const GATHER_MS = 8;
/** How much may wait on the transport's side before it stops taking from the ring, in bytes. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** How long messages are handed over before this thread hears of anything else, such as an interrupt, in ms. */
const TURN_MS = 10;
/** How often the pipes of child processes and native libraries are looked at: in a cell, and between cells. */
const BUSY_MS = 15;
const IDLE_MS = 150;

/**
 * The transport's end of the ring: turns records into messages of the contract and hands them over one by one,
 * waiting for the handler. Neighbouring pieces of text become one message.
 */
export class OutputReader {
  readonly #channel: Channel;
  readonly #native: NativeReader | undefined;
  readonly #handler: (message: FromEngine) => void | Promise<void>;
  readonly #records: RingRecord[] = [];
  #waitingBytes = 0;
  /** When text was handed over for the last time. */
  #flushed = Number.NEGATIVE_INFINITY;
  #pumping = false;
  #busy = false;
  #owner = '';
  #json: Uint8Array[] = [];
  readonly #decoders = new Map<RecordKind, StringDecoder>();

  constructor(
    channel: Channel,
    native: NativeReader | undefined,
    handler: (message: FromEngine) => void | Promise<void>,
  ) {
    this.#channel = channel;
    this.#native = native;
    this.#handler = handler;
    if (native !== undefined) this.#poll();
  }

  /** Whether a cell runs: then the pipes are looked at more often. */
  set busy(busy: boolean) {
    this.#busy = busy;
  }

  /** Called whenever the main thread wakes the reader. */
  wake(): void {
    if (!this.#pumping) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    let turn = performance.now();
    let text = '';
    let stream: 'stdout' | 'stderr' = 'stdout';
    const flush = async () => {
      if (text === '') return;
      this.#flushed = performance.now();
      const output = { type: 'stream' as const, name: stream, text };
      text = '';
      await this.#hand({ type: 'output', id: this.#owner, output });
    };
    for (;;) {
      // a cell may print without end, and waiting for a handler that is done at once is no turn of the loop
      if (performance.now() - turn > TURN_MS) {
        await nextTurn();
        turn = performance.now();
      }
      const record = this.#next();
      if (record === undefined) {
        // many small pieces in quick succession become one message; the wait is in steps, so that `done` is not late
        if (text !== '' && performance.now() - this.#flushed < GATHER_MS) {
          await pause(1);
          continue;
        }
        await flush();
        if (this.#records.length === 0 && this.#channel.sleep()) break;
        continue;
      }
      const { kind, bytes } = record;
      if (kind === RecordKind.JsonStart) {
        this.#json = [bytes];
      } else if (kind === RecordKind.JsonPart) {
        this.#json.push(bytes);
      } else if (kind === RecordKind.Json || kind === RecordKind.JsonEnd) {
        await flush();
        const parts = kind === RecordKind.Json ? [bytes] : this.#json;
        const message: RingMessage = JSON.parse(Buffer.concat(parts).toString());
        this.#json = [];
        if (message.type === 'owner') this.#owner = message.id;
        else await this.#hand(message);
      } else {
        const name = kind === RecordKind.Stdout || kind === RecordKind.NativeStdout ? 'stdout' : 'stderr';
        if (name !== stream || text.length > MAX_TEXT) await flush();
        stream = name;
        text += this.#decode(kind, bytes);
      }
    }
    this.#pumping = false;
  }

  async #hand(message: FromEngine): Promise<void> {
    await this.#handler(message);
  }

  /** The next record: what the poll has put aside comes first, because it was taken first. */
  #next(): RingRecord | undefined {
    const record = this.#records.shift();
    if (record === undefined) return this.#channel.read();
    this.#waitingBytes -= record.bytes.length;
    return record;
  }

  #decode(kind: RecordKind, bytes: Uint8Array): string {
    let decoder = this.#decoders.get(kind);
    if (decoder === undefined) {
      decoder = new StringDecoder('utf8');
      this.#decoders.set(kind, decoder);
    }
    return decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  /** Takes what came through the pipes, after everything that was in the ring before it. */
  #poll(): void {
    const native = this.#native!;
    let found = false;
    if (this.#waitingBytes < MAX_WAITING_BYTES && native.pending) {
      this.#channel.locked(() => {
        for (let record = this.#channel.read(); record !== undefined; record = this.#channel.read()) {
          this.#keep(record);
        }
        for (const [name, kind] of [
          ['stdout', RecordKind.NativeStdout],
          ['stderr', RecordKind.NativeStderr],
        ] as const) {
          // not "until it is empty": a child that never stops printing would hold the lock for ever
          for (let i = 0; i < 16; i++) {
            const bytes = native.read(name);
            if (bytes === undefined) break;
            this.#keep({ kind, bytes: bytes.slice() });
            found = true;
          }
        }
      });
      this.wake();
    }
    setTimeout(() => this.#poll(), found ? 1 : this.#busy ? BUSY_MS : IDLE_MS).unref();
  }

  #keep(record: RingRecord): void {
    this.#records.push(record);
    this.#waitingBytes += record.bytes.length;
  }
}
