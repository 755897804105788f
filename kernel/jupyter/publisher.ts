/**
 * The socket that everybody listens to. It is not ZeroMQ's own, which does not report who has received what: there a
 * client that does not read either loses messages silently or makes memory grow without end.
 */
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import {
  encodeMessage,
  type Frames,
  greeting,
  type Incoming,
  pong,
  ready,
  SubscriberDecoder,
} from './zmtp.js';

/** Bytes that a client may leave unsent before cells have to wait. */
export const UNSENT_BYTES = 64 * 1024 * 1024;
/** For how long a client takes nothing before it loses output, if others take theirs, in ms. */
export const STALLED_MS = 10_000;
/** A client that has lost output gets more again when no more than this is unsent, in bytes. */
const CAUGHT_UP_BYTES = 1024 * 1024;
/** Bytes handed to the system at once: what is taken of it is seen. */
const PIECE_BYTES = 256 * 1024;

const EMPTY = Buffer.alloc(0);

/** How far a client is. */
export interface ClientState {
  unsentBytes: number;
  /** When something of it was taken for the last time, or there was nothing to take; ms. */
  lastTaken: number;
  /** Whether it loses output. */
  isLosing: boolean;
}

/** Those that have to lose output from now on, so that the others go on; none where all of them take nothing. */
export function stalledClients<T extends ClientState>(clients: readonly T[], now: number): T[] {
  const isStalled = ({ unsentBytes, lastTaken }: ClientState) =>
    unsentBytes > UNSENT_BYTES && now - lastTaken >= STALLED_MS;
  const taking = clients.filter((client) => !client.isLosing && !isStalled(client));
  return taking.length === 0 ? [] : clients.filter((client) => !client.isLosing && isStalled(client));
}

/** Whether cells may go on showing things. */
export function hasRoom(clients: readonly ClientState[]): boolean {
  return clients.every(({ unsentBytes, isLosing }) => isLosing || unsentBytes <= UNSENT_BYTES);
}

/** What the publisher needs. */
export interface PublisherHandlers {
  /** A client listens from now on to what begins with `topic`; `welcome` sends it a message. */
  onSubscription(topic: Buffer, welcome: (frames: Frames) => void): void;
  /** The message that tells a client how many bytes of output it has lost. */
  lossNote(bytes: number): Frames;
  log(text: string): void;
  /** How many clients there are now. */
  onClients?(count: number): void;
  /** Everything up to that position is with the system, for all clients that get it. */
  onSent?(position: number): void;
  /** Whether a client may have a message of which `onSent` has not told: it is on its way, or others wait for it. */
  onSending?(isSending: boolean): void;
}

/** Sends messages to all who have subscribed, each at its own pace. */
export class Publisher {
  readonly #server: Server;
  readonly #clients = new Set<Client>();
  readonly #handlers: PublisherHandlers;
  #waiting: (() => void)[] = [];
  #look: NodeJS.Timeout | undefined;
  #position = 0;
  #sentPosition = 0;
  /** Clients to whom a message is on its way to the system. */
  #sending = 0;
  /** Whether a client has what another one has not. */
  #isAhead = false;
  #isSending = false;

  constructor(handlers: PublisherHandlers) {
    this.#handlers = handlers;
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#welcome(socket));
  }

  /** Listens at a port of an address, or at a path. Rejects with the system's error. */
  listen(at: { ip: string; port: number } | { path: string }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      // as ZeroMQ does: what an earlier kernel has left there is of no use
      if ('path' in at) rmSync(at.path, { force: true });
      const place = 'path' in at ? at : { port: at.port, host: at.ip === '*' ? undefined : at.ip };
      this.#server.listen(place, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#handlers.log(`no more clients can come: ${error.message}`));
        resolve();
      });
    });
  }

  /**
   * Sends a message.
   * @param isOutput whether a client that takes nothing may lose it
   * @param position what `onSent` is told when it has left; never less than before
   */
  send(frames: Frames, isOutput = false, position = this.#position): void {
    this.#position = position;
    let pieces: Buffer[] | undefined;
    for (const client of this.#clients) {
      if (!client.wants(frames[0]!)) continue;
      pieces ??= encodeMessage(frames);
      client.send(pieces, isOutput, position);
    }
    if (pieces === undefined) this.#tellSent();
  }

  #tellSent(): void {
    let sent = this.#position;
    let most = 0;
    for (const { sentPosition = this.#position } of this.#clients) {
      sent = Math.min(sent, sentPosition);
      most = Math.max(most, sentPosition);
    }
    this.#isAhead = most > sent;
    this.#tellSending();
    if (sent <= this.#sentPosition) return;
    this.#sentPosition = sent;
    this.#handlers.onSent?.(sent);
  }

  #tellSending(): void {
    const isSending = this.#sending > 0 || this.#isAhead;
    if (isSending === this.#isSending) return;
    this.#isSending = isSending;
    this.#handlers.onSending?.(isSending);
  }

  /** Undefined where cells may go on; else resolves when they may. */
  room(): Promise<void> | undefined {
    if (hasRoom([...this.#clients])) return undefined;
    this.#look ??= setInterval(() => this.#judge(), STALLED_MS / 20);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets clients have what is unsent, for at most `ms`, and closes. */
  async close(ms: number): Promise<void> {
    this.#server.close();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([Promise.all([...this.#clients].map((client) => client.end())), late]);
    clearTimeout(timer);
    for (const client of this.#clients) client.destroy();
    this.#judge();
  }

  #judge(): void {
    for (const client of stalledClients([...this.#clients], Date.now())) {
      client.isLosing = true;
      this.#handlers.log(`a client has taken nothing for ${STALLED_MS / 1000} s; it loses output now`);
    }
    if (!hasRoom([...this.#clients])) return;
    clearInterval(this.#look);
    this.#look = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #welcome(socket: Socket): void {
    const client = new Client(socket, this.#position, {
      onTaken: () => {
        this.#tellSent();
        if (this.#waiting.length > 0) this.#judge();
      },
      onSending: (change) => {
        this.#sending += change;
        this.#tellSending();
      },
      onSubscription: (topic) =>
        this.#handlers.onSubscription(topic, (frames) => client.send(encodeMessage(frames), false)),
      onClose: () => {
        this.#clients.delete(client);
        this.#handlers.onClients?.(this.#clients.size);
        this.#tellSent();
        this.#judge();
      },
      lossNote: (bytes) => encodeMessage(this.#handlers.lossNote(bytes)),
      log: this.#handlers.log,
    });
    this.#clients.add(client);
    this.#handlers.onClients?.(this.#clients.size);
  }
}

interface ClientHandlers {
  /** A message goes to the system (1), or has left (-1). */
  onSending(change: 1 | -1): void;
  onTaken(): void;
  onSubscription(topic: Buffer): void;
  onClose(): void;
  lossNote(bytes: number): Buffer[];
  log(text: string): void;
}

/** One connection. */
class Client implements ClientState {
  unsentBytes = 0;
  lastTaken = Date.now();
  isLosing = false;
  readonly #socket: Socket;
  readonly #handlers: ClientHandlers;
  readonly #decoder = new SubscriberDecoder();
  readonly #topics: Buffer[] = [];
  #queue: Buffer[] = [];
  /** Where in the queue what is not handed over begins. */
  #head = 0;
  #isWriting = false;
  #isScheduled = false;
  #lostBytes = 0;
  /** Where messages end among all bytes that were ever queued, and their positions; of those that are unsent. */
  #unsent: { end: number; position: number }[] = [];
  #queuedBytes = 0;
  #sentPosition = 0;
  #lastPosition: number;

  /** @param position of what was sent before it came */
  constructor(socket: Socket, position: number, handlers: ClientHandlers) {
    this.#socket = socket;
    this.#lastPosition = position;
    this.#handlers = handlers;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => handlers.onClose());
    socket.on('data', (bytes) => this.#receive(bytes));
    this.#enqueue([greeting(), ready('XPUB')]);
  }

  wants(topic: Buffer): boolean {
    return this.#topics.some((begin) => topic.subarray(0, begin.length).equals(begin));
  }

  /** Up to where everything has left for this client; undefined where nothing waits. */
  get sentPosition(): number | undefined {
    return this.#unsent.length === 0 || this.isLosing ? undefined : this.#sentPosition;
  }

  send(pieces: readonly Buffer[], isOutput: boolean, position?: number): void {
    if (this.isLosing && isOutput) {
      this.#lostBytes += sizeOf(pieces);
      return;
    }
    this.#enqueue(pieces);
    if (position === undefined) return;
    // all that came before was sent, and what is sent now is not
    if (this.#unsent.length === 0) this.#sentPosition = this.#lastPosition;
    this.#lastPosition = position;
    this.#unsent.push({ end: this.#queuedBytes, position });
  }

  /** Resolves when everything is sent. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.once('close', () => resolve());
      const look = () => {
        if (this.unsentBytes === 0) this.#socket.end();
        else setTimeout(look, 5);
      };
      look();
      // nothing more is expected of it
      this.#socket.on('end', () => this.#socket.destroy());
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    try {
      for (const incoming of this.#decoder.take(bytes)) this.#handle(incoming);
    } catch (error) {
      this.#handlers.log(`a connection was closed: ${(error as Error).message}`);
      this.#socket.destroy();
    }
  }

  #handle(incoming: Incoming): void {
    if (incoming.type === 'subscribe') {
      this.#topics.push(incoming.topic);
      this.#handlers.onSubscription(incoming.topic);
    } else if (incoming.type === 'cancel') {
      const at = this.#topics.findIndex((topic) => topic.equals(incoming.topic));
      if (at >= 0) this.#topics.splice(at, 1);
    } else if (incoming.type === 'ping') {
      this.#enqueue([pong(incoming.body)]);
    }
  }

  #enqueue(pieces: readonly Buffer[]): void {
    if (this.unsentBytes === 0) this.lastTaken = Date.now();
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += PIECE_BYTES) {
        this.#queue.push(piece.subarray(at, at + PIECE_BYTES));
      }
    }
    const bytes = sizeOf(pieces);
    this.unsentBytes += bytes;
    this.#queuedBytes += bytes;
    this.#writeSoon();
  }

  /** Messages of one turn of the loop are one write: a call of the system costs as much as all else of a message. */
  #writeSoon(): void {
    if (this.#isWriting || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#write();
    });
  }

  /** Hands over what the system takes at once, and goes on when it has taken more. */
  #write(): void {
    while (!this.#isWriting && this.#head < this.#queue.length) this.#writePiece();
  }

  /** Hands over as much as one piece may hold. */
  #writePiece(): void {
    let end = this.#head;
    let bytes = 0;
    while (end < this.#queue.length && bytes < PIECE_BYTES) bytes += this.#queue[end++]!.length;
    const pieces = this.#queue.slice(this.#head, end);
    // written ones are let go at once, places in the list now and then
    this.#queue.fill(EMPTY, this.#head, end);
    this.#head = end;
    if (2 * this.#head >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#isWriting = true;
    const isMessage = this.#unsent.length > 0 && this.#unsent[0]!.end <= this.#sentBytes + bytes;
    if (isMessage) this.#handlers.onSending(1);
    const taken = () => {
      this.#taken(bytes);
      if (isMessage) this.#handlers.onSending(-1);
    };
    let isAtOnce = false;
    this.#socket.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), () => {
      if (isAtOnce) return;
      taken();
      this.#write();
    });
    // told now and not in the callback: the process may die in between
    isAtOnce = this.#socket.writableLength === 0;
    if (isAtOnce) taken();
  }

  /** How many bytes have left. */
  get #sentBytes(): number {
    return this.#queuedBytes - this.unsentBytes;
  }

  #taken(bytes: number): void {
    this.#isWriting = false;
    this.unsentBytes -= bytes;
    this.lastTaken = Date.now();
    const count = this.#unsent.findIndex(({ end }) => end > this.#sentBytes);
    const left = this.#unsent.splice(0, count < 0 ? this.#unsent.length : count);
    this.#sentPosition = left.at(-1)?.position ?? this.#sentPosition;
    if (this.isLosing && this.unsentBytes <= CAUGHT_UP_BYTES) {
      this.isLosing = false;
      if (this.#lostBytes > 0) this.#enqueue(this.#handlers.lossNote(this.#lostBytes));
      this.#lostBytes = 0;
    }
    this.#handlers.onTaken();
  }
}

function sizeOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
