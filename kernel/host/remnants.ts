/**
 * Code of an abandoned cell may go on when a promise is settled or a file is read, and then compute without end: no
 * timer and no output stops it, and no later cell gets its turn. So the transport asks regularly whose code it is
 * that runs; the inspector answers also while the main thread computes.
 */
import type { Runtime, Session } from 'node:inspector';
import { KERNEL_GLOBAL } from '../engine/names.js';
import type { Channel } from './channel.js';
import type { RequestSender } from './requests.js';

/** How often it is asked while a cell is not over, in ms. */
const LOOK_MS = 250;

/** Ends what abandoned cells compute while another one runs or waits for the main thread. */
export class RemnantWatch {
  readonly #channel: Channel;
  readonly #requests: RequestSender;
  readonly #session: () => Session;
  #isAsking = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(channel: Channel, requests: RequestSender, session: () => Session) {
    this.#channel = channel;
    this.#requests = requests;
    this.#session = session;
  }

  /** Looks from now on, where there is something to look for. */
  start(): void {
    if (this.#channel.hasAbandoned) this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const question = { expression: `${KERNEL_GLOBAL}.runsAbandoned()`, returnByValue: true, silent: true };
    this.#session().post('Runtime.evaluate', question, (_, answer?: Runtime.EvaluateReturnType) => {
      this.#isAsking = false;
      if (answer?.result.value === true) this.#end();
    });
  }

  #end(): void {
    if (!this.#channel.beginTermination(() => true)) return;
    // the main thread is to forget what was cut off half-way
    this.#requests.send({ type: 'abandon', id: '' });
    this.#session().post('Runtime.terminateExecution', () => {
      this.#channel.endTermination();
      this.#requests.resend();
    });
  }
}
