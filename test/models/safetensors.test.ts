import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { UserError } from '../../src/common/errors.js';
import {
  decodeValues,
  encodeValues,
  fromBfloat16,
  fromFloat16,
  toBfloat16,
  toFloat16,
} from '../../src/models/number-formats.js';
import { readSafetensors, SafetensorsFile, writeSafetensors } from '../../src/models/safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('reads what it wrote, and leaves no other file', () => {
  const path = join(folder, 'a.safetensors');
  const float = Float32Array.of(1.5, -2, 3e-9, 4, 5, 6);
  writeSafetensors(path, [
    ['float', { shape: [2, 3], values: float }],
    ['int', { shape: [2], values: Int32Array.of(-7, 2 ** 31 - 1) }],
    ['scalar', { shape: [], values: Float32Array.of(9) }],
    ['empty', { shape: [0, 4], values: new Float32Array(0) }],
    ['late', { shape: [1], dtype: 'BF16', values: () => Float32Array.of(1.00390625) }],
  ]);
  const read = readSafetensors(path);
  expect(read.get('float')).toEqual({ shape: [2, 3], dtype: 'F32', values: float });
  expect(read.get('int')!.values).toEqual(Int32Array.of(-7, 2 ** 31 - 1));
  expect(read.get('scalar')).toMatchObject({ shape: [], values: Float32Array.of(9) });
  expect(read.get('empty')!.values.length).toBe(0);
  // 1 + 2^-8 lies halfway between two bfloat16 numbers: the even one is 1
  expect(read.get('late')!.values).toEqual(Float32Array.of(1));
  expect(readFileSync(path).readUInt32LE(0) % 8).toBe(0);
  expect(readdirSync(folder)).toEqual(['a.safetensors']);
});

it('every bfloat16 and every half-precision number survives float32 and back', () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const notANumber = (bits: number, mantissa: number, exponent: number) =>
    (bits & exponent) === exponent && (bits & mantissa) !== 0;
  const brain = toBfloat16(fromBfloat16(all));
  const half = toFloat16(fromFloat16(all));
  const changed = Array.from(all).filter(
    (bits) =>
      (!notANumber(bits, 0x7f, 0x7f80) && brain[bits] !== bits) ||
      (!notANumber(bits, 0x3ff, 0x7c00) && half[bits] !== bits),
  );
  expect(changed).toEqual([]);
});

it('rounding to 16 bits gives the nearest number', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, min: -60000, max: 60000 }), (value) => {
      const half = fromFloat16(toFloat16(Float32Array.of(value)))[0]!;
      expect(Math.abs(half - value)).toBeLessThanOrEqual(Math.max(2 ** -25, Math.abs(value) * 2 ** -11));
      const brain = fromBfloat16(toBfloat16(Float32Array.of(value)))[0]!;
      expect(Math.abs(brain - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -8 + 1e-40);
    }),
  );
});

it('decodes integers and doubles', () => {
  const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer.slice(0));
  expect(decodeValues(bytes(BigInt64Array.of(-3n, 5n)), 'I64')).toEqual(Int32Array.of(-3, 5));
  expect(decodeValues(bytes(Float64Array.of(0.5)), 'F64')).toEqual(Float32Array.of(0.5));
  expect(decodeValues(Uint8Array.of(0, 1, 255), 'U8')).toEqual(Int32Array.of(0, 1, 255));
  expect(decodeValues(Uint8Array.of(255), 'I8')).toEqual(Int32Array.of(-1));
  expect(encodeValues(Int32Array.of(1), 'I32')).toEqual(Uint8Array.of(1, 0, 0, 0));
});

const reference = JSON.parse(
  readFileSync(new URL('./fixtures/safetensors.json', import.meta.url), 'utf8'),
) as { cases: Record<string, { accepted: boolean; file: string }> };

it.each(Object.entries(reference.cases))(
  'opens what the reference library opens: %s',
  (name, { accepted, file }) => {
    const path = join(folder, 'case.safetensors');
    writeFileSync(path, Buffer.from(file, 'base64'));
    if (accepted && name !== 'unusual dtype') new SafetensorsFile(path).close();
    else expect(() => new SafetensorsFile(path)).toThrow(UserError);
  },
);

it('says in a short line which tensors do not fit together, and what else the path is', () => {
  const open = (name: string) => () => {
    const path = join(folder, 'case.safetensors');
    writeFileSync(path, Buffer.from(reference.cases[name]!.file, 'base64'));
    return new SafetensorsFile(path);
  };
  expect(open('gap')).toThrow(/tensor b begins at byte 8 of the data, expected 4: .*no tensor has/);
  expect(open('overlap')).toThrow(/tensor b begins at byte 4 of the data, expected 8: .*overlaps/);
  expect(open('trailing')).toThrow(/its tensors end at byte 4 of the data, the file has 8/);
  expect(open('string shape')).toThrow(/at \/a\/shape: must be array, found "2"/);
  expect(() => new SafetensorsFile(folder)).toThrow(/it is a folder, expected a file/);
  const name = 'w'.repeat(40_000);
  const path = join(folder, 'long.safetensors');
  const header = JSON.stringify({ [name]: { dtype: 'F32', shape: [3], data_offsets: [0, 4] } });
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(path, Buffer.concat([head, Buffer.from(header), Buffer.alloc(4)]));
  const message = (() => {
    try {
      new SafetensorsFile(path);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  })();
  expect(message).toMatch(/long\.safetensors.*has shape \[3\] of F32 in 4 bytes$/);
  expect(message.length).toBeLessThan(500);
});

it('names the file and the tensor that is missing, cut off or damaged', () => {
  const path = join(folder, 'b.safetensors');
  const write = () => writeSafetensors(path, [['w', { shape: [4], values: new Float32Array(4) }]]);
  write();
  expect(() => new SafetensorsFile(join(folder, 'none.safetensors'))).toThrow(
    /none\.safetensors.*no such file/,
  );
  expect(() => new SafetensorsFile(path).read('v')).toThrow(/b\.safetensors: tensor v is missing/);
  truncateSync(path, readFileSync(path).length - 3);
  expect(() => new SafetensorsFile(path)).toThrow(/b\.safetensors: truncated: tensor w ends at byte/);
  truncateSync(path, 12);
  expect(() => new SafetensorsFile(path)).toThrow(/b\.safetensors: truncated/);
  writeFileSync(path, 'version https://git-lfs.github.com/spec/v1');
  expect(() => new SafetensorsFile(path)).toThrow(/b\.safetensors: not a safetensors file/);
  writeFileSync(path, '');
  expect(() => new SafetensorsFile(path)).toThrow(UserError);
  for (const header of [
    'null',
    '{"w": 3}',
    '{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}}',
    '{"w":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}',
  ]) {
    const head = Buffer.alloc(8 + header.length + 16);
    head.writeBigUInt64LE(BigInt(header.length));
    head.write(header, 8);
    writeFileSync(path, head);
    expect(() => new SafetensorsFile(path), header).toThrow(UserError);
  }
});
