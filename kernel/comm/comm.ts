import type { CommMessage } from '../contract.js';
import { Emitter, type Send } from './listeners.js';

/** The data of a message: an object that JSON can carry. */
export type CommData = Record<string, unknown>;

/** What goes along with the data of a message. */
export interface CommExtras {
  metadata?: CommData;
  /** Binary parts. */
  buffers?: readonly (ArrayBuffer | ArrayBufferView)[];
}

/** A message as its receiver gets it. */
export interface ReceivedExtras {
  metadata: CommData;
  buffers: Uint8Array[];
}

/** What happens to a comm. */
export interface CommEvents extends Record<string, unknown[]> {
  /** The other side has sent something. */
  message: [data: CommData, extras: ReceivedExtras];
  /** The other side has closed the comm. */
  close: [data: CommData, extras: ReceivedExtras];
}

/** What a comm needs of its manager. */
export interface CommOwner {
  send: Send;
  /** Sends a message to the client, attributed to the cell that the running code belongs to. */
  publish(message: CommMessage): void;
  forget(comm: Comm): void;
}

/** One channel between code in cells and code in the client; see `comm.open` and `comm.register`. */
export class Comm extends Emitter<CommEvents> {
  readonly id: string;
  readonly target: string;
  readonly #owner: CommOwner;
  #isOpen = true;

  constructor(id: string, target: string, owner: CommOwner) {
    super(owner.send);
    this.id = id;
    this.target = target;
    this.#owner = owner;
  }

  /** Whether the other side still listens. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends a message to the other side. @throws {Error} when the comm is closed */
  send(data: CommData, extras: CommExtras = {}): void {
    if (!this.#isOpen) {
      throw new Error(`the comm "${this.target}" is closed; open a new one with comm.open("${this.target}")`);
    }
    this.#owner.publish(packMessage('comm_msg', this.id, data, extras));
  }

  /** Tells the other side that nothing more comes. A comm that is closed stays so. */
  close(data: CommData = {}, extras: CommExtras = {}): void {
    if (!this.#isOpen) return;
    this.#owner.publish(packMessage('comm_close', this.id, data, extras));
    this.#end();
  }

  /** Takes a message of the other side. */
  receive(message: CommMessage): void {
    const { type, data } = message;
    if (type === 'comm_close') {
      this.#end();
      this.emit('close', data, extrasOf(message));
    } else {
      this.emit('message', data, extrasOf(message));
    }
  }

  #end(): void {
    this.#isOpen = false;
    this.#owner.forget(this);
  }
}

/** A message for the client. @throws {TypeError} when its data is no object, or JSON cannot carry it */
export function packMessage(
  type: CommMessage['type'],
  commId: string,
  data: CommData,
  { metadata = {}, buffers = [] }: CommExtras = {},
): CommMessage {
  for (const [what, value] of Object.entries({ data, metadata })) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const given = Array.isArray(value) ? 'an array' : value === null ? 'null' : typeof value;
      throw new TypeError(`the ${what} of a comm message must be an object, and is ${given}`);
    }
    try {
      JSON.stringify(value);
    } catch (error) {
      throw new TypeError(
        `the ${what} of a comm message cannot be written as JSON: ${(error as Error).message}`,
      );
    }
  }
  return { type, commId, data, metadata, buffers: buffers.map(base64) };
}

/** What goes along with the data of a message from the client. */
export function extrasOf({ metadata, buffers }: CommMessage): ReceivedExtras {
  return { metadata, buffers: buffers.map((text) => new Uint8Array(Buffer.from(text, 'base64'))) };
}

function base64(part: ArrayBuffer | ArrayBufferView): string {
  if (ArrayBuffer.isView(part)) {
    return Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('base64');
  }
  if (part instanceof ArrayBuffer) return Buffer.from(part).toString('base64');
  throw new TypeError(
    `a buffer of a comm message must be an ArrayBuffer or a typed array, and is ${typeof part}`,
  );
}
