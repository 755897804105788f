import type { Router, XPublisher } from 'zeromq';
import { UserError } from '../common/errors.js';
import { addressOf, type Channel, type Connection } from './connection.js';

/** A request or reply socket: frames in, frames out, in order. */
export type Frames = Buffer[];

interface Socket {
  readonly closed: boolean;
  send(frames: Frames): Promise<void>;
}

/** Sends one message after the other: a ZeroMQ socket takes one at a time. */
export class Outbox {
  #socket: Socket;
  #last: Promise<void> = Promise.resolve();
  #onError: (error: unknown) => void;

  constructor(socket: Socket, onError: (error: unknown) => void) {
    this.#socket = socket;
    this.#onError = onError;
  }

  /** Queues a message; what cannot be sent is reported and the next one tried. At the end nobody listens any more. */
  send(frames: Frames): void {
    const send = () => (this.#socket.closed ? undefined : this.#socket.send(frames));
    this.#last = this.#last.then(send).catch(this.#onError);
  }

  /** Resolves when everything queued so far is with ZeroMQ. */
  drained(): Promise<void> {
    return this.#last;
  }
}

/** What listens to the outside. */
export interface SocketHandlers {
  onRequest(channel: 'shell' | 'control' | 'stdin', frames: Frames): void;
  /** Somebody listens to the outputs from now on; `topic` is what they asked for, usually everything. */
  onSubscription(topic: Buffer): void;
  log(text: string): void;
}

/** The five sockets of a kernel, bound. */
export class Sockets {
  readonly outboxes: Record<'shell' | 'control' | 'stdin' | 'iopub', Outbox>;
  #all: { close(): void; linger: number }[];

  private constructor(outboxes: Sockets['outboxes'], all: { close(): void; linger: number }[]) {
    this.outboxes = outboxes;
    this.#all = all;
  }

  /** Binds all of them and begins to receive. @throws {UserError} when a port cannot be bound */
  static async bind(connection: Connection, handlers: SocketHandlers): Promise<Sockets> {
    const zmq = await import('zeromq');
    // no high-water marks: output is never dropped, and a slow client never holds up a cell
    const unlimited = { sendHighWaterMark: 0, receiveHighWaterMark: 0 };
    const routers = {
      // a client that comes back under its old identity takes over
      shell: new zmq.Router({ ...unlimited, handover: true }),
      control: new zmq.Router({ ...unlimited, handover: true }),
      stdin: new zmq.Router({ ...unlimited, handover: true }),
    };
    const iopub = new zmq.XPublisher({ ...unlimited, verbosity: 'allSubs' });
    const hb = new zmq.Router({ handover: true });
    const byChannel = { ...routers, iopub, hb };
    const all = Object.values(byChannel);
    for (const [channel, socket] of Object.entries(byChannel)) {
      const address = addressOf(connection, channel as Channel);
      try {
        await socket.bind(address);
      } catch (error) {
        for (const opened of all) opened.close();
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
    void receive(
      iopub,
      ([frame]) => frame?.[0] === 1 && handlers.onSubscription(frame.subarray(1)),
      handlers,
    );
    const echo = new Outbox(hb, report);
    void receive(hb, (frames) => echo.send(frames), handlers);
    const outboxes = {
      shell: new Outbox(routers.shell, report),
      control: new Outbox(routers.control, report),
      stdin: new Outbox(routers.stdin, report),
      iopub: new Outbox(iopub, report),
    };
    return new Sockets(outboxes, all);
  }

  /** Sends what is queued and closes. */
  async close(): Promise<void> {
    await Promise.all(Object.values(this.outboxes).map((outbox) => outbox.drained()));
    for (const socket of this.#all) {
      // ms that the process may stay for what a client has not fetched yet
      socket.linger = 500;
      socket.close();
    }
  }
}

async function receive(
  socket: Router | XPublisher,
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
