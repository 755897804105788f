/** @file The wire format of protocol buffers, as far as event files need it. */

/** Wire types. */
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

/** A message, a text or bytes. */
export const bytesField = (field: number, bytes: Buffer | string): Buffer => {
  const content = Buffer.from(bytes as string);
  return Buffer.concat([key(field, BYTES), varint(content.length), content]);
};

/** A message of these fields. */
export const messageField = (field: number, ...fields: readonly Buffer[]): Buffer =>
  bytesField(field, Buffer.concat(fields));

/** An integer of at least 0, or a member of an enum. */
export const varintField = (field: number, value: number): Buffer =>
  Buffer.concat([key(field, VARINT), varint(value)]);

export function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([key(field, FIXED64), bytes]);
}

export function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([key(field, FIXED32), bytes]);
}
