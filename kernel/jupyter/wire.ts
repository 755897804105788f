import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';

/** The version of the protocol of this kernel. */
export const PROTOCOL_VERSION = '5.4';

export interface Header {
  msg_id: string;
  msg_type: string;
  session: string;
  username: string;
  /** ISO 8601 */
  date: string;
  version: string;
  /** Of requests to a subshell (JEP 91). */
  subshell_id?: string | null;
}

export type Json = Record<string, unknown>;

/** A message as it comes in. `identities` is the way back to its sender. */
export interface Message {
  identities: Buffer[];
  header: Header;
  parentHeader: Json;
  metadata: Json;
  content: Json;
  buffers: Buffer[];
}

/** A message that cannot be trusted or understood; it is dropped, and the kernel goes on. */
export class WireError extends Error {
  override name = 'WireError';
}

const DELIMITER = Buffer.from('<IDS|MSG>');

/** Puts messages into signed frames and takes them out again. */
export class Wire {
  readonly session = randomUUID();
  #key: string;
  #hash: string;
  #sent = 0;

  /** @param key with an empty one nothing is signed or verified @param hash such as `sha256` */
  constructor(key: string, hash: string) {
    this.#key = key;
    this.#hash = hash;
    // an unknown hash is an error in the connection file: reported before anything listens
    this.#sign([]);
  }

  #sign(parts: readonly Uint8Array[]): string {
    if (this.#key === '') return '';
    const hmac = createHmac(this.#hash, this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  }

  /** Frames of a message of this kernel. @param parent the header of the request that it belongs to */
  encode(
    type: string,
    content: object,
    parent: Header | undefined,
    options: { identities?: readonly Buffer[]; metadata?: Json; buffers?: readonly Buffer[] } = {},
  ): Buffer[] {
    const header: Header = {
      msg_id: `${this.session}_${this.#sent++}`,
      msg_type: type,
      session: this.session,
      username: parent?.username ?? 'kernel',
      date: new Date().toISOString(),
      version: PROTOCOL_VERSION,
    };
    const parts = [header, parent ?? {}, options.metadata ?? {}, content].map((part) =>
      Buffer.from(JSON.stringify(part)),
    );
    const signature = Buffer.from(this.#sign(parts));
    return [...(options.identities ?? []), DELIMITER, signature, ...parts, ...(options.buffers ?? [])];
  }

  /** Takes a message apart. @throws {WireError} when the signature is wrong or it is no message */
  decode(frames: readonly Buffer[]): Message {
    const at = frames.findIndex((frame) => frame.equals(DELIMITER));
    if (at < 0) throw new WireError('a message without the delimiter <IDS|MSG>');
    const [signature, ...rest] = frames.slice(at + 1);
    const parts = rest.slice(0, 4);
    if (signature === undefined || parts.length < 4) {
      throw new WireError(`a message of ${parts.length} parts after its signature, expected at least 4`);
    }
    if (this.#key !== '') {
      const expected = Buffer.from(this.#sign(parts));
      if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
        throw new WireError('a message with a wrong signature: it was signed with another key');
      }
    }
    const names = ['header', 'parent_header', 'metadata', 'content'];
    const [header, parentHeader, metadata, content] = parts.map((part, i) => parseObject(part, names[i]!));
    if (typeof header!.msg_type !== 'string' || typeof header!.msg_id !== 'string') {
      throw new WireError('a message whose header has no msg_type or no msg_id');
    }
    return {
      identities: frames.slice(0, at),
      header: header as unknown as Header,
      parentHeader: parentHeader!,
      metadata: metadata!,
      content: content!,
      buffers: rest.slice(4),
    };
  }
}

function parseObject(part: Buffer, name: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(part.toString('utf8'));
  } catch {
    throw new WireError(`a message whose ${name} is not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new WireError(`a message whose ${name} is not an object`);
  }
  return value as Json;
}
