/**
 * How the transport makes a main thread that may be busy hear of an interrupt. What to do next is decided by a pure
 * function of what the two threads share; `Interrupter` carries it out and looks again.
 *
 * A main thread that is free hears at once. One that computes does not: then what it does is terminated, and the
 * request is sent once more, until it is accepted. The next callback may compute as well, and what was terminated may
 * have been the hearing. What cannot be terminated is native, and then perhaps a child process that it waits for:
 * that one gets the signal.
 */
import type { Session } from 'node:inspector';
import type { Channel } from './channel.js';
import { signalDescendants } from './process-tree.js';
import type { RequestSender } from './requests.js';

/** How long the main thread may take to hear of an interrupt before its execution is terminated, in ms. */
const HEAR_MS = 20;
/** The same where no cell runs: a main thread that has much else to do is no reason to stop it, in ms. */
const HEAR_IDLE_MS = 500;
/** How long it then may take to come to itself, in ms. */
const RETRY_MS = 60;
/** After how many attempts to terminate the child processes are interrupted. */
const CHILDREN_ATTEMPT = 3;

/** An interrupt that was asked for. */
export interface Interrupt {
  /** The number of the request of the cell that is to stop; 0 where none runs. */
  cell: number;
  /** The number of the request that tells the main thread. */
  request: number;
  /** How many times it was looked at without having been heard. */
  attempts: number;
}

/** What the main thread lets the transport see: see `Channel`. */
export interface Seen {
  accepted: number;
  cell: number;
}

/** What is to be done for an interrupt that was looked at, and in how many ms to look again (undefined: it is over). */
export interface InterruptStep {
  terminate: boolean;
  signalChildren: boolean;
  lookAfter: number | undefined;
}

export function isHeard({ request }: Interrupt, { accepted }: Seen): boolean {
  return accepted >= request;
}

/** Whether what the main thread does now is what the interrupt is to stop: its cell, or the remains of earlier ones. */
export function mayTerminate(interrupt: Interrupt, seen: Seen): boolean {
  return !isHeard(interrupt, seen) && (seen.cell === interrupt.cell || seen.cell === 0);
}

/** How long a new interrupt waits before it is looked at, in ms. */
function firstLook({ cell }: Interrupt): number {
  return cell === 0 ? HEAR_IDLE_MS : HEAR_MS;
}

/** What comes next for an interrupt. */
export function nextStep(interrupt: Interrupt, seen: Seen): InterruptStep {
  if (isHeard(interrupt, seen)) return { terminate: false, signalChildren: false, lookAfter: undefined };
  const terminate = mayTerminate(interrupt, seen);
  const signalChildren = terminate && interrupt.attempts + 1 === CHILDREN_ATTEMPT;
  return { terminate, signalChildren, lookAfter: HEAR_MS + RETRY_MS };
}

/** Carries interrupts out, one at a time. */
export class Interrupter {
  readonly #channel: Channel;
  readonly #requests: RequestSender;
  readonly #session: () => Session | undefined;
  #current: Interrupt | undefined;

  /** @param session the inspector of the main thread, which is connected when the first cell is sent */
  constructor(channel: Channel, requests: RequestSender, session: () => Session | undefined) {
    this.#channel = channel;
    this.#requests = requests;
    this.#session = session;
  }

  /** Interrupts the cell whose request has that number. Does nothing while an interrupt of it has not been heard. */
  interrupt(id: string, cell: number): void {
    if (this.#current?.cell === cell && !isHeard(this.#current, this.#channel)) return;
    // before anything is done about it: a cell may fail of that before it hears why
    this.#channel.interrupted = cell;
    const interrupt = { cell, request: this.#requests.send({ type: 'abandon', id }), attempts: 0 };
    this.#current = interrupt;
    setTimeout(() => this.#look(interrupt), firstLook(interrupt));
  }

  #look(interrupt: Interrupt): void {
    const { terminate, signalChildren, lookAfter } = nextStep(interrupt, this.#channel);
    if (lookAfter === undefined) return;
    interrupt.attempts++;
    this.#requests.resend();
    if (terminate) this.#terminate(interrupt);
    if (signalChildren) signalDescendants('SIGINT');
    setTimeout(() => this.#look(interrupt), lookAfter);
  }

  #terminate(interrupt: Interrupt): void {
    const session = this.#session();
    if (session === undefined) return;
    if (!this.#channel.beginTermination(() => mayTerminate(interrupt, this.#channel))) return;
    // answered when the main thread has left all that it was doing, be it that it had something else to end first
    session.post('Runtime.terminateExecution', () => {
      this.#channel.endTermination();
      this.#requests.resend();
    });
  }
}
