import type { Router } from 'zeromq';
import { UserError } from '../../src/common/errors.js';
import { addressOf, type ConnectionInfo, placeOf, type SocketName } from './connection.js';
import { Publisher } from './publisher.js';
import type { Frames } from './zmtp.js';

/** A request or reply socket: frames in, frames out, in order. */
interface Socket {
  readonly closed: boolean;
  send(frames: Frames): Promise<void>;
}

/** Sends one message after the other: a ZeroMQ socket takes one at a time. */
class Outbox {
  #socket: Socket;
  #last: Promise<void> = Promise.resolve();
  #onError: (error: unknown) => void;

  constructor(socket: Socket, onError: (error: unknown) => void) {
    this.#socket = socket;
    this.#onError = onError;
  }

  /** Queues a message; what cannot be sent is reported and the next one tried. At the end there are no listeners any more. */
  send(frames: Frames): void {
    const send = () => (this.#socket.closed ? undefined : this.#socket.send(frames));
    this.#last = this.#last.then(send).catch(this.#onError);
  }

  /** Resolves when everything queued so far is with ZeroMQ. */
  drained(): Promise<void> {
    return this.#last;
  }
}

/** How long the process may stay for what a client has not fetched yet, in ms. */
const LINGER_MS = 500;

/** What listens to the outside. */
export interface SocketHandlers {
  onRequest(channel: 'shell' | 'control' | 'stdin', frames: Frames): void;
  /** A client has subscribed to the outputs; `topic` is what it asked for, usually everything. */
  onSubscription(topic: Buffer, welcome: (frames: Frames) => void): void;
  /** The message that tells a client how many bytes of output it has lost. */
  lossNote(bytes: number): Frames;
  log(text: string): void;
  /** For the supervisor of a process that died: see `PublisherHandlers`. */
  onClients?(count: number): void;
  onSent?(position: number): void;
}

/** The five sockets of a kernel, bound. */
export class Sockets {
  readonly outboxes: Record<'shell' | 'control' | 'stdin', Outbox>;
  readonly publisher: Publisher;
  #all: { close(): void; linger: number }[];

  private constructor(
    outboxes: Sockets['outboxes'],
    publisher: Publisher,
    all: { close(): void; linger: number }[],
  ) {
    this.outboxes = outboxes;
    this.publisher = publisher;
    this.#all = all;
  }

  /** Binds all of them and begins to receive. @throws {UserError} when a port cannot be bound */
  static async bind(connection: ConnectionInfo, handlers: SocketHandlers): Promise<Sockets> {
    const zmq = await import('zeromq');
    // replies are small, and none is dropped; what cells show goes through the publisher, which has limits
    const unlimited = { sendHighWaterMark: 0, receiveHighWaterMark: 0 };
    const routers = {
      // a client that comes back under its old identity takes over
      shell: new zmq.Router({ ...unlimited, handover: true }),
      control: new zmq.Router({ ...unlimited, handover: true }),
      stdin: new zmq.Router({ ...unlimited, handover: true }),
    };
    const publisher = new Publisher(handlers);
    const hb = new zmq.Router({ handover: true });
    const sockets = { ...routers, hb };
    const all = Object.values(sockets);
    const binding: [SocketName, (address: string) => Promise<void>][] = [
      ...Object.entries(sockets).map(
        ([channel, socket]): [SocketName, (address: string) => Promise<void>] => [
          channel as SocketName,
          (address) => socket.bind(address),
        ],
      ),
      ['iopub', () => publisher.listen(placeOf(connection, 'iopub'))],
    ];
    for (const [channel, bind] of binding) {
      const address = addressOf(connection, channel);
      try {
        await bind(address);
      } catch (error) {
        for (const opened of all) opened.close();
        void publisher.close(0);
        const { code, message } = error as NodeJS.ErrnoException;
        const why = code === 'EADDRINUSE' ? 'another program listens there' : message;
        throw new UserError(
          `cannot listen on ${address} (${channel}): ${why}. Start the kernel again with a new connection file.`,
        );
      }
    }
    const report = (error: unknown) => handlers.log(`a message could not be sent: ${String(error)}`);
    for (const [channel, socket] of Object.entries(routers)) {
      void receive(socket, (frames) => handlers.onRequest(channel as 'shell', frames), handlers);
    }
    const echo = new Outbox(hb, report);
    void receive(hb, (frames) => echo.send(frames), handlers);
    const outboxes = {
      shell: new Outbox(routers.shell, report),
      control: new Outbox(routers.control, report),
      stdin: new Outbox(routers.stdin, report),
    };
    return new Sockets(outboxes, publisher, all);
  }

  /** Sends what is queued and closes. */
  async close(): Promise<void> {
    await Promise.all(Object.values(this.outboxes).map((outbox) => outbox.drained()));
    await this.publisher.close(LINGER_MS);
    for (const socket of this.#all) {
      socket.linger = LINGER_MS;
      socket.close();
    }
  }
}

async function receive(
  socket: Router,
  handle: (frames: Frames) => void,
  { log }: SocketHandlers,
): Promise<void> {
  for await (const frames of socket) {
    try {
      handle(frames);
    } catch (error) {
      log(`a message could not be handled: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
}
