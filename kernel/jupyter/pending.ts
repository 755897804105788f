/** The cells that a kernel has not answered, kept where its supervisor finds them when the kernel dies. */
import type { KeptMemory } from '../host/kept-memory.js';
import type { ConnectionInfo } from './connection.js';
import type { Header, Message } from './wire.js';

/** A request without its code. */
export interface PendingRequest {
  header: Header;
  /** The way back to the client, as base64. */
  identities: string[];
  silent: boolean;
  /** Of a cell that runs: the engine's name for it and its number. */
  cell?: { id: string; count: number };
}

/** What the supervisor reads. */
export interface PendingCells {
  /** Where the kernel listens; the file may be gone by then. */
  connection: ConnectionInfo;
  requests: PendingRequest[];
  /** The last cell that began: output and errors belong to it where none runs. */
  last?: PendingRequest;
}

/** Writes down what is pending; without memory it does nothing. */
export class PendingWriter {
  readonly #kept: KeptMemory | undefined;
  readonly #texts = new Map<Message, string>();
  readonly #connection: string;
  #last = '';

  constructor(kept: KeptMemory | undefined, connection: ConnectionInfo) {
    this.#kept = kept;
    this.#connection = JSON.stringify(connection);
    if (kept !== undefined) this.#write();
  }

  queued(request: Message): void {
    if (this.#kept === undefined) return;
    this.#texts.set(request, textOf(request));
    this.#write();
  }

  running(request: Message, cell: { id: string; count: number }): void {
    if (this.#kept === undefined) return;
    const known = this.#texts.get(request) ?? textOf(request);
    this.#last = `${known.slice(0, -1)},"cell":${JSON.stringify(cell)}}`;
    this.#texts.set(request, this.#last);
    this.#write();
  }

  answered(request: Message): void {
    if (this.#texts.delete(request)) this.#write();
  }

  /** Where there are too many, the last ones are left out. */
  #write(): void {
    const requests = [...this.#texts.values()];
    const text = () =>
      `{"connection":${this.#connection},"requests":[${requests.join()}]${this.#last && `,"last":${this.#last}`}}`;
    while (!this.#kept!.setText(text()) && requests.length > 0) requests.length >>= 1;
  }
}

function textOf({ header, identities, content }: Message): string {
  const pending: PendingRequest = {
    header,
    identities: identities.map((identity) => identity.toString('base64')),
    silent: content.silent === true,
  };
  return JSON.stringify(pending);
}

/** Reads what a `PendingWriter` has written; undefined where there was none yet. */
export function readPending({ text }: KeptMemory): PendingCells | undefined {
  return text === '' ? undefined : (JSON.parse(text) as PendingCells);
}
