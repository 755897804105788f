import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { maskedCrc32c } from './crc32c.js';
import { bytesField, doubleField, floatField, messageField, varintField } from './protobuf.js';

/*
 * TensorBoard event files: TFRecord framing around `Event` protocol buffers (tensorflow/core/util/event.proto).
 * A record is: length (uint64), masked CRC of the length, data, masked CRC of the data; all little-endian.
 * Fields used: Event { 1: wall_time double, 2: step int64, 3: file_version string, 5: summary, 7: session_log },
 * Summary { 1: repeated Value { 1: tag string, 2: simple_value float } }, SessionLog { 1: status, START = 1 }.
 */

/** One TFRecord around the data. */
function tfRecord(data: Buffer): Buffer {
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
    this.#write(now, 0, bytesField(3, 'brain.Event:2'));
    if (firstStep > 0) this.#write(now, firstStep, bytesField(7, varintField(1, 1)));
  }

  /** Writes the values of one step, by tag. */
  scalars(step: number, values: Readonly<Record<string, number>>, now = Date.now()): void {
    const summary = Object.entries(values).map(([tag, value]) =>
      messageField(1, bytesField(1, tag), floatField(2, value)),
    );
    this.summary(step, summary, now);
  }

  /** Writes values (messages `Summary.Value` as the field of a `Summary`) of one step. */
  summary(step: number, values: readonly Buffer[], now = Date.now()): void {
    this.#write(now, step, messageField(5, ...values));
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
