import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { maskedCrc32c } from './crc32c.js';

/*
 * TensorBoard event files: TFRecord framing around `Event` protocol buffers (tensorflow/core/util/event.proto).
 * A record is: length (uint64), masked CRC of the length, data, masked CRC of the data; all little-endian.
 * Fields used: Event { 1: wall_time double, 2: step int64, 3: file_version string, 5: summary, 7: session_log },
 * Summary { 1: repeated Value { 1: tag string, 2: simple_value float } }, SessionLog { 1: status, START = 1 }.
 */

/** Wire types of protocol buffers. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

const key = (field: number, wireType: number) => varint(field * 8 + wireType);
const bytesField = (field: number, bytes: Buffer) =>
  Buffer.concat([key(field, BYTES), varint(bytes.length), bytes]);
const varintField = (field: number, value: number) => Buffer.concat([key(field, VARINT), varint(value)]);

function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([key(field, FIXED64), bytes]);
}

function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([key(field, FIXED32), bytes]);
}

/** One TFRecord around the data. */
export function tfRecord(data: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  const sums = [length, data].map((bytes) => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(maskedCrc32c(bytes));
    return sum;
  });
  return Buffer.concat([length, sums[0]!, data, sums[1]!]);
}

/** Appends scalars to one event file, which TensorBoard reads while it grows. */
export class EventFileWriter {
  readonly path: string;
  readonly #file: number;

  /**
   * Creates `events.out.tfevents.…` in a folder.
   * @param firstStep when a run is continued, TensorBoard is told to forget what older files say from here on
   */
  constructor(folder: string, firstStep = 0, now = Date.now()) {
    mkdirSync(folder, { recursive: true });
    const stamp = String(Math.floor(now / 1000)).padStart(10, '0');
    this.path = join(folder, `events.out.tfevents.${stamp}.${hostname()}.${process.pid}.${now % 1000}`);
    this.#file = openSync(this.path, 'a');
    this.#write(now, 0, bytesField(3, Buffer.from('brain.Event:2')));
    if (firstStep > 0) this.#write(now, firstStep, bytesField(7, varintField(1, 1)));
  }

  /** Writes the values of one step, by tag. */
  scalars(step: number, values: Readonly<Record<string, number>>, now = Date.now()): void {
    const summary = Object.entries(values).map(([tag, value]) =>
      bytesField(1, Buffer.concat([bytesField(1, Buffer.from(tag)), floatField(2, value)])),
    );
    this.#write(now, step, bytesField(5, Buffer.concat(summary)));
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(now: number, step: number, content: Buffer): void {
    const event = Buffer.concat([
      doubleField(1, now / 1000),
      ...(step > 0 ? [varintField(2, step)] : []),
      content,
    ]);
    writeSync(this.#file, tfRecord(event));
  }
}
