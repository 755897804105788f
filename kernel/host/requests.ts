/**
 * Requests of the transport to the main thread. Each arrives once and in order, although what the main thread does
 * may be terminated at any moment, also while it receives one: a request is numbered, counts as received when the
 * main thread has accepted it in a critical step, and is sent again until then.
 */
import type { MessagePort } from 'node:worker_threads';
import type { ToEngine } from '../contract.js';
import type { Channel } from './channel.js';

/** What the main thread is asked for. */
export type HostRequest = ToEngine | { type: 'shutdown' };

interface Numbered {
  number: number;
  request: HostRequest;
}

/** The transport's end. */
export class RequestSender {
  readonly #port: MessagePort;
  readonly #channel: Channel;
  #sent = 0;
  #unaccepted: Numbered[] = [];

  constructor(port: MessagePort, channel: Channel) {
    this.#port = port;
    this.#channel = channel;
  }

  /** Sends a request. @returns its number, counted from 1 */
  send(request: HostRequest): number {
    const numbered = { number: ++this.#sent, request };
    this.#unaccepted = this.#unaccepted.filter(({ number }) => number > this.#channel.accepted);
    this.#unaccepted.push(numbered);
    this.#port.postMessage(numbered);
    return numbered.number;
  }

  /** Sends once more what the main thread has not accepted: it may have been terminated while it received it. */
  resend(): void {
    for (const numbered of this.#unaccepted) {
      if (numbered.number > this.#channel.accepted) this.#port.postMessage(numbered);
    }
  }
}

/**
 * The main thread's end. `handle` must call `accept` once, in a critical step and together with all that makes the
 * request known: what fails or is terminated before that is asked for again.
 */
export function receiveRequests(
  port: MessagePort,
  channel: Channel,
  handle: (request: HostRequest, number: number, accept: () => void) => void,
): void {
  port.on('message', ({ number, request }: Numbered) => {
    channel.leaveAll();
    // one that was sent again, or one whose predecessor was lost: then both are sent again
    if (number !== channel.accepted + 1) return;
    handle(request, number, () => channel.accept(number));
  });
}
