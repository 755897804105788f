import { StringDecoder } from 'node:string_decoder';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { FromEngine } from '../contract.js';
import type { Channel } from './channel.js';
import { fatalReportAt } from './fatal-report.js';
import type { NativeReader } from './native-output.js';
import { RecordKind, type RingRecord } from './ring.js';

/** A record that was taken; of native output, also where it ends in the ring of that. */
interface TakenRecord extends RingRecord {
  nativeEnd?: number | undefined;
}

/** Where a message ended: in the ring, and in that of native output. */
interface Ends {
  ring: number;
  native: number;
}

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
/** How long the pipes are left alone where Node says in one that it gives up, in ms: what it says is the supervisor's. */
const DYING_MS = 5000;

/**
 * The transport's end of the ring: turns records into messages of the contract and hands them over one by one,
 * waiting for the handler. Neighbouring pieces of text become one message.
 */
export class OutputReader {
  readonly #channel: Channel;
  readonly #native: NativeReader | undefined;
  readonly #handler: (message: FromEngine) => void | Promise<void>;
  readonly #records: TakenRecord[] = [];
  #waitingBytes = 0;
  /** When text was handed over for the last time. */
  #flushed = Number.NEGATIVE_INFINITY;
  #pumping = false;
  #busy = false;
  #isHurried = false;
  /** Ends the wait for the handler. */
  #release = () => {};
  #owner = '';
  #json: Uint8Array[] = [];
  readonly #decoders = new Map<RecordKind, StringDecoder>();
  /** How many messages were handed over, and where those ended that were not sent. */
  #handed = 0;
  #ends: Ends = { ring: 0, native: 0 };
  readonly #unsent: { number: number; ends: Ends }[] = [];

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

  /** The number of the message that was handed over last, counted from 1. */
  get handed(): number {
    return this.#handed;
  }

  /** All messages up to that number have left this process: its supervisor need not send them if it dies. */
  sent(number: number): void {
    let ends: Ends | undefined;
    while (this.#unsent[0] !== undefined && this.#unsent[0].number <= number)
      ends = this.#unsent.shift()!.ends;
    if (ends !== undefined) this.#channel.kept?.setSent(ends.ring, ends.native);
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
    let ends = this.#ends;
    const flush = async () => {
      if (text === '') return;
      this.#flushed = performance.now();
      const output = { type: 'stream' as const, name: stream, text };
      text = '';
      await this.#hand({ type: 'output', id: this.#owner, output }, ends);
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
        const message: FromEngine = JSON.parse(Buffer.concat(parts).toString());
        this.#json = [];
        ends = endsAfter(ends, record);
        await this.#hand(message, ends);
      } else if (kind === RecordKind.Owner) {
        await flush();
        this.#owner = Buffer.from(bytes).toString();
      } else {
        const name = kind === RecordKind.Stdout || kind === RecordKind.NativeStdout ? 'stdout' : 'stderr';
        if (name !== stream || text.length > MAX_TEXT) await flush();
        stream = name;
        text += this.#decode(kind, bytes);
        ends = endsAfter(ends, record);
      }
    }
    this.#ends = ends;
    this.#pumping = false;
  }

  async #hand(message: FromEngine, ends: Ends): Promise<void> {
    this.#handed++;
    if (this.#channel.kept !== undefined) this.#unsent.push({ number: this.#handed, ends });
    if (message.type === 'done') this.#isHurried = false;
    const handled = this.#handler(message);
    if (handled === undefined || this.#isHurried) return;
    const released = new Promise<void>((resolve) => {
      this.#release = resolve;
    });
    await Promise.race([handled, released]);
  }

  /**
   * Until a cell is done nothing waits for its handler: for an interrupt, which otherwise waits for the main thread,
   * which waits for room in the ring. What comes then is not much more than the ring holds.
   */
  hurry(): void {
    this.#isHurried = true;
    this.#release();
  }

  /** The next record: what the poll has put aside comes first, because it was taken first. */
  #next(): TakenRecord | undefined {
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
    let isDying = false;
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
            const record = { kind, bytes: bytes.slice(), end: this.#channel.readEnd };
            const taken = { ...record, nativeEnd: this.#channel.kept?.keepNative(record) };
            isDying ||= this.#channel.kept !== undefined && fatalReportAt(Buffer.from(bytes).toString()) >= 0;
            if (isDying) this.#keepLater(taken);
            else this.#keep(taken);
            found = true;
          }
        }
      });
      this.wake();
    }
    const pauseMs = isDying ? DYING_MS : found ? 1 : this.#busy ? BUSY_MS : IDLE_MS;
    setTimeout(() => this.#poll(), pauseMs).unref();
  }

  /** It may have been a child process that gave up. */
  #keepLater(record: TakenRecord): void {
    setTimeout(() => {
      this.#keep(record);
      this.wake();
    }, DYING_MS - 1).unref();
  }

  #keep(record: TakenRecord): void {
    this.#records.push(record);
    this.#waitingBytes += record.bytes.length;
  }
}

function endsAfter({ native }: Ends, { end, nativeEnd }: TakenRecord): Ends {
  return { ring: end, native: nativeEnd ?? native };
}
