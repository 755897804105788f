import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { crc32c, maskedCrc32c } from '../../src/training/crc32c.js';
import { EventFileWriter } from '../../src/training/tensorboard.js';
import { temporaryFolder } from './temporary.js';

/** Fields of a protocol buffer message: number and value, by the wire format's specification. */
function fields(bytes: Buffer): [number, number | Buffer][] {
  const result: [number, number | Buffer][] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const take = (length: number) => {
      at += length;
      return bytes.subarray(at - length, at);
    };
    const value = {
      0: () => varint(),
      1: () => take(8).readDoubleLE(),
      2: () => Buffer.from(take(varint())),
      5: () => take(4).readFloatLE(),
    }[key & 7]!();
    result.push([key >> 3, value]);
  }
  return result;
}

/** The events of a TFRecord file; checks both checksums of each. */
function readEvents(path: string): Map<number, number | Buffer>[] {
  const file = readFileSync(path);
  const events = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 8)).toBe(maskedCrc32c(file.subarray(at, at + 8)));
    expect(file.readUInt32LE(at + 12 + length)).toBe(maskedCrc32c(data));
    events.push(new Map(fields(data)));
    at += 16 + length;
  }
  return events;
}

test('the checksum is that of RFC 3720', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
});

test('an event file decodes to what was written', () => {
  const writer = new EventFileWriter(temporaryFolder(), 301, 1_700_000_000_500);
  writer.scalars(300, { 'train/loss': 0.25, 'val/loss/output-from-examples-v0': 1.5 }, 1_700_000_001_000);
  writer.scalars(2 ** 33, { x: -1 });
  writer.close();
  const [version, session, scalars, far] = readEvents(writer.path);
  expect(writer.path).toMatch(/events\.out\.tfevents\.1700000000\./);
  expect(version!.get(1)).toBe(1_700_000_000.5);
  expect(String(version!.get(3))).toBe('brain.Event:2');
  expect(session!.get(2)).toBe(301);
  expect(fields(session!.get(7) as Buffer)).toEqual([[1, 1]]);
  expect(scalars!.get(2)).toBe(300);
  const values = fields(scalars!.get(5) as Buffer).map(([, value]) => {
    const entries = new Map(fields(value as Buffer));
    return [String(entries.get(1)), entries.get(2)];
  });
  expect(values).toEqual([
    ['train/loss', 0.25],
    ['val/loss/output-from-examples-v0', 1.5],
  ]);
  expect(far!.get(2)).toBe(2 ** 33);
});
