/** Records in a piece of memory that is written from its beginning again when its end is reached. */

/** What a record holds. */
export enum RecordKind {
  /** A JSON message. */
  Json = 1,
  /** One that is too long for a record; an interrupt may leave it without its end. */
  JsonStart = 2,
  JsonPart = 3,
  JsonEnd = 4,
  /** Bytes that the JavaScript of a cell wrote. */
  Stdout = 5,
  Stderr = 6,
  /** Bytes that arrived through the file descriptors 1 and 2. */
  NativeStdout = 7,
  NativeStderr = 8,
  /** Whose the bytes are that follow: the id of a cell. Alone it is nothing to wake the reader for. */
  Owner = 9,
}

/** One record: what it is, its bytes, and the position behind it. */
export interface RingRecord {
  kind: RecordKind;
  bytes: Uint8Array;
  end: number;
}

/** The longest record; what is longer is written in parts. */
export const MAX_RECORD_BYTES = 128 * 1024;
const HEADER_BYTES = 8;

/** Bytes that a record takes: its header, and its content to a multiple of four. */
export function recordBytes(length: number): number {
  return HEADER_BYTES + ((length + 3) & ~3);
}

/** Puts records into memory and takes them out; where the first and the last one are is the caller's to know. */
export class Ring {
  /** A power of two, so that positions, which count all bytes ever written, may run over 2³². */
  readonly size: number;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;

  constructor(memory: ArrayBufferLike, start = 0, size = memory.byteLength - start) {
    this.size = size;
    this.#bytes = new Uint8Array(memory, start, size);
    this.#words = new Int32Array(memory, start, size / 4);
  }

  /** Writes a record. @returns the position behind it */
  put(position: number, kind: RecordKind, bytes: Uint8Array): number {
    const mask = this.size - 1;
    this.#words[(position & mask) >> 2] = kind;
    this.#words[((position + 4) & mask) >> 2] = bytes.length;
    const start = (position + HEADER_BYTES) & mask;
    const first = Math.min(bytes.length, this.size - start);
    this.#bytes.set(bytes.subarray(0, first), start);
    this.#bytes.set(bytes.subarray(first), 0);
    return (position + recordBytes(bytes.length)) | 0;
  }

  /** The record that begins at a position. */
  at(position: number): RingRecord {
    const mask = this.size - 1;
    const kind: RecordKind = this.#words[(position & mask) >> 2]!;
    const length = Math.min(this.#words[((position + 4) & mask) >> 2]! >>> 0, MAX_RECORD_BYTES);
    const bytes = new Uint8Array(length);
    const start = (position + HEADER_BYTES) & mask;
    const first = Math.min(length, this.size - start);
    bytes.set(this.#bytes.subarray(start, start + first));
    bytes.set(this.#bytes.subarray(0, length - first), first);
    return { kind, bytes, end: (position + recordBytes(length)) | 0 };
  }

  /** The records between two positions; what has killed the process may have written over them, and then fewer. */
  between(from: number, to: number): RingRecord[] {
    const records: RingRecord[] = [];
    for (let position = from; position !== to; position = records.at(-1)!.end) {
      const record = this.at(position);
      if (!(record.kind in RecordKind) || ((to - record.end) | 0) < 0) break;
      records.push(record);
    }
    return records;
  }
}
