import type { MessagePort } from 'node:worker_threads';
import type { FromEngine } from '../contract.js';
import type { Channel } from './channel.js';
import { flushNative, type NativeReader } from './native-output.js';
import { MAX_RECORD_BYTES, RecordKind } from './ring.js';

/**
 * The main thread's end of the ring. Everything that leaves the main thread goes through here, in one order, and
 * what has come through the pipes of the file descriptors 1 and 2 goes before what is written after it.
 */
export class OutputWriter {
  readonly #channel: Channel;
  readonly #wake: MessagePort;
  readonly #native: NativeReader | undefined;
  readonly #encoder = new TextEncoder();
  #owner: string | undefined;

  constructor(channel: Channel, wake: MessagePort, native: NativeReader | undefined) {
    this.#channel = channel;
    this.#wake = wake;
    this.#native = native;
  }

  /** Text or bytes for a stream of the cell `owner`. */
  stream(owner: string, name: 'stdout' | 'stderr', content: string | Uint8Array): void {
    if (content.length === 0) return;
    if (this.#native?.pending) this.#drainNative();
    this.#setOwner(owner);
    const bytes = typeof content === 'string' ? this.#encoder.encode(content) : content;
    this.#write(name === 'stdout' ? RecordKind.Stdout : RecordKind.Stderr, bytes);
  }

  /**
   * A message of the contract. `commit` is called in the very step that completes the message: either both have
   * happened or, where an interrupt comes before, neither.
   */
  send(message: FromEngine, commit?: () => void): void {
    if (message.type === 'done') flushNative();
    if (this.#native?.pending) this.#drainNative();
    this.#sendJson(message, commit);
  }

  /** Tells whose the output of child processes and native libraries is from now on. */
  beginCell(id: string): void {
    if (this.#native?.pending) this.#drainNative();
    this.#setOwner(id);
  }

  #setOwner(id: string): void {
    if (id === this.#owner) return;
    this.#owner = id;
    this.#writeRecord(RecordKind.Owner, this.#encoder.encode(id));
  }

  #sendJson(message: FromEngine, commit?: () => void): void {
    const bytes = this.#encoder.encode(JSON.stringify(message));
    if (bytes.length <= MAX_RECORD_BYTES) {
      this.#writeRecord(RecordKind.Json, bytes, commit);
      return;
    }
    this.#writeRecord(RecordKind.JsonStart, bytes.subarray(0, MAX_RECORD_BYTES));
    this.#write(RecordKind.JsonPart, bytes.subarray(MAX_RECORD_BYTES));
    this.#writeRecord(RecordKind.JsonEnd, new Uint8Array(0), commit);
  }

  /** After an interrupt, which may have come between any two steps of this class. */
  recover(): void {
    this.#owner = undefined;
  }

  #write(kind: RecordKind, bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; start += MAX_RECORD_BYTES) {
      this.#writeRecord(kind, bytes.subarray(start, start + MAX_RECORD_BYTES));
    }
  }

  /** Writes one record, after waiting for room; the reader is woken in the same step, or it would sleep on. */
  #writeRecord(kind: RecordKind, bytes: Uint8Array, commit?: () => void): void {
    const channel = this.#channel;
    while (!channel.hasRoom(bytes.length)) channel.waitForReader();
    channel.critical(() => {
      const wake = channel.write(kind, bytes);
      commit?.();
      if (wake) this.#wake.postMessage(null);
    });
  }

  /** Carries what waits in the pipes into the ring, before anything else is written there. */
  #drainNative(): void {
    const channel = this.#channel;
    for (const [stream, kind] of [
      ['stdout', RecordKind.NativeStdout],
      ['stderr', RecordKind.NativeStderr],
    ] as const) {
      for (let more = true; more; ) {
        while (!channel.hasRoom(MAX_RECORD_BYTES)) channel.waitForReader();
        more = channel.critical(() => {
          let wake = false;
          const found = channel.locked(() => {
            const bytes = this.#native?.read(stream);
            if (bytes !== undefined) wake = channel.write(kind, bytes);
            return bytes !== undefined;
          });
          if (wake) this.#wake.postMessage(null);
          return found;
        });
      }
    }
  }
}
