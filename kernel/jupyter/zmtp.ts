/**
 * ZMTP 3.0, ZeroMQ's protocol on the wire (https://rfc.zeromq.org/spec/23/), as far as a publisher needs it: the NULL
 * mechanism, messages out, subscriptions and commands in. Newer peers speak it with older ones.
 */

/** A message: its parts. */
export type Frames = Buffer[];

const GREETING_BYTES = 64;
/** What a subscriber sends is short; more than this is no subscriber. */
const MAX_FRAME_BYTES = 64 * 1024;

enum Flags {
  More = 1,
  Long = 2,
  Command = 4,
}

/** The first bytes that either side sends: signature, version 3.0, mechanism NULL, not as a server. */
export function greeting(): Buffer {
  const bytes = Buffer.alloc(GREETING_BYTES);
  bytes[0] = 0xff;
  bytes[9] = 0x7f;
  bytes[10] = 3;
  bytes.write('NULL', 12, 'latin1');
  return bytes;
}

/** The command that ends the handshake. @param socketType such as `XPUB` */
export function ready(socketType: string): Buffer {
  const name = Buffer.from('Socket-Type');
  const value = Buffer.from(socketType);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(value.length);
  return command('READY', Buffer.concat([Buffer.of(name.length), name, length, value]));
}

/** The answer to a PING with that body. */
export function pong(ping: Buffer): Buffer {
  // behind two bytes of a time-to-live, what is to be sent back
  return command('PONG', ping.subarray(2));
}

function command(name: string, body: Buffer): Buffer {
  const whole = Buffer.concat([Buffer.of(name.length), Buffer.from(name), body]);
  return Buffer.concat([frameHeader(whole.length, Flags.Command), whole]);
}

function frameHeader(length: number, flags: number): Buffer {
  if (length < 256) return Buffer.of(flags, length);
  const header = Buffer.alloc(9);
  header[0] = flags | Flags.Long;
  header.writeBigUInt64BE(BigInt(length), 1);
  return header;
}

/** A message on the wire, in pieces that are not copied where they are long. */
export function encodeMessage(frames: Frames): Buffer[] {
  const flagsOf = (i: number) => (i < frames.length - 1 ? Flags.More : 0);
  const total = frames.reduce((sum, { length }) => sum + (length < 256 ? 2 : 9) + length, 0);
  if (total > MAX_FRAME_BYTES)
    return frames.flatMap((frame, i) => [frameHeader(frame.length, flagsOf(i)), frame]);
  const whole = Buffer.allocUnsafe(total);
  let at = 0;
  for (const [i, frame] of frames.entries()) {
    if (frame.length < 256) {
      whole[at++] = flagsOf(i);
      whole[at++] = frame.length;
    } else {
      at += frameHeader(frame.length, flagsOf(i)).copy(whole, at);
    }
    at += frame.copy(whole, at);
  }
  return [whole];
}

/** What a subscriber says. */
export type Incoming =
  | { type: 'ready' }
  | { type: 'subscribe' | 'cancel'; topic: Buffer }
  | { type: 'ping'; body: Buffer }
  | { type: 'other' };

/** Takes apart what a subscriber sends, in pieces of any size. */
export class SubscriberDecoder {
  #bytes = Buffer.alloc(0);
  #isGreeted = false;

  /** What is complete with these bytes. @throws {Error} where they are not ZMTP 3 */
  take(bytes: Buffer): Incoming[] {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    const found: Incoming[] = [];
    if (!this.#isGreeted) {
      if (this.#bytes.length < GREETING_BYTES) return found;
      checkGreeting(this.#bytes);
      this.#isGreeted = true;
      this.#bytes = this.#bytes.subarray(GREETING_BYTES);
    }
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) found.push(frame);
    return found;
  }

  #next(): Incoming | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 2) return undefined;
    const flags = bytes[0]!;
    const isLong = (flags & Flags.Long) !== 0;
    const start = isLong ? 9 : 2;
    if (bytes.length < start) return undefined;
    const length = isLong ? Number(bytes.readBigUInt64BE(1)) : bytes[1]!;
    if (length > MAX_FRAME_BYTES) throw new Error(`a frame of ${length} bytes from a subscriber`);
    if (bytes.length < start + length) return undefined;
    const body = bytes.subarray(start, start + length);
    this.#bytes = bytes.subarray(start + length);
    return (flags & Flags.Command) === 0 ? readMessage(body) : readCommand(body);
  }
}

function checkGreeting(bytes: Buffer): void {
  const isZmtp = bytes[0] === 0xff && bytes[9] === 0x7f && bytes[10]! >= 3;
  if (!isZmtp) throw new Error('a peer that does not speak ZMTP 3');
  const mechanism = bytes.toString('latin1', 12, 32).replace(/\0+$/, '');
  if (mechanism !== 'NULL')
    throw new Error(`a peer that wants the security mechanism ${mechanism}, not NULL`);
}

function readMessage(body: Buffer): Incoming {
  if (body[0] === 1) return { type: 'subscribe', topic: body.subarray(1) };
  if (body[0] === 0) return { type: 'cancel', topic: body.subarray(1) };
  return { type: 'other' };
}

function readCommand(body: Buffer): Incoming {
  const end = 1 + (body[0] ?? 0);
  const rest = body.subarray(end);
  switch (body.toString('latin1', 1, end)) {
    case 'READY':
      return { type: 'ready' };
    case 'SUBSCRIBE':
      return { type: 'subscribe', topic: rest };
    case 'CANCEL':
      return { type: 'cancel', topic: rest };
    case 'PING':
      return { type: 'ping', body: rest };
    default:
      return { type: 'other' };
  }
}
