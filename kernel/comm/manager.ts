import { randomUUID } from 'node:crypto';
import type { CommMessage } from '../contract.js';
import { currentCell, type LiveCell, refuseAbandoned } from '../engine/context.js';
import { Comm, type CommData, type CommExtras, extrasOf, packMessage, type ReceivedExtras } from './comm.js';
import { callInCell, type Send } from './listeners.js';

/** Takes a comm that the client opens, with the data of its `comm_open`. */
export type CommTarget = (comm: Comm, data: CommData, extras: ReceivedExtras) => unknown;

/** The global `comm` of every cell. */
export interface CommApi {
  /** Opens a comm to a target that code in the client has registered. */
  open(target: string, data?: CommData, extras?: CommExtras & { id?: string }): Comm;
  /** Lets the client open comms to `target`; a later call for the same name replaces the earlier one. */
  register(target: string, onOpen: CommTarget): void;
  /** Refuses further comms to `target`; those that are open stay. */
  unregister(target: string): void;
}

/** What a part of the kernel does with the messages of a comm, before any listener of a cell. */
export interface CommReceiver {
  /** @throws {CommProtocolError} where the message is not valid; the client is told */
  message(data: CommData, extras: ReceivedExtras): void;
  /** The comm is closed, by whichever side. */
  closed?(): void;
}

/** A message of the client that its receiver cannot handle. */
export class CommProtocolError extends Error {}

/** The main thread's end of all comms. */
export class CommManager {
  /** Everything that leaves, in order. */
  readonly send: Send;
  readonly #comms = new Map<string, Comm>();
  readonly #receivers = new Map<string, CommReceiver>();
  readonly #targets = new Map<string, { onOpen: CommTarget; cell: LiveCell | undefined }>();
  /** The message of the client that is being handled. */
  #handling: string | undefined;

  constructor(send: Send) {
    this.send = send;
  }

  /** What cells can use of this. */
  get api(): CommApi {
    return {
      open: (...args) => this.open(...args),
      register: (...args) => this.register(...args),
      unregister: (target) => this.unregister(target),
    };
  }

  open(
    target: string,
    data: CommData = {},
    { id = randomUUID(), ...extras }: CommExtras & { id?: string } = {},
  ) {
    if (typeof target !== 'string' || target === '') {
      throw new TypeError('comm.open(target) needs the name that the client has registered, a string');
    }
    if (this.#comms.has(id)) throw new Error(`there is an open comm with the id "${id}" already`);
    const message = packMessage('comm_open', id, data, extras);
    const comm = this.#make(id, target);
    this.#publish({ ...message, targetName: target });
    return comm;
  }

  register(target: string, onOpen: CommTarget): void {
    if (typeof onOpen !== 'function') {
      throw new TypeError(`comm.register("${target}", …) needs a function that takes the comm`);
    }
    this.#targets.set(target, { onOpen, cell: currentCell() });
  }

  unregister(target: string): void {
    this.#targets.delete(target);
  }

  /** Lets a part of the kernel have the messages of a comm. */
  attach(comm: Comm, receiver: CommReceiver): void {
    this.#receivers.set(comm.id, receiver);
  }

  /** Handles a message of the client, and says so. */
  receive(id: string, message: CommMessage): void {
    this.#handling = id;
    let isKnown = true;
    let problem: string | undefined;
    try {
      isKnown = message.type === 'comm_open' ? this.#accept(message) : this.#pass(message);
    } catch (error) {
      if (!(error instanceof CommProtocolError)) throw error;
      problem = error.message;
    } finally {
      this.#done(isKnown, problem);
    }
  }

  /** After an interrupt, which may have ended the handling of a message half-way. */
  recover(): void {
    if (this.#handling !== undefined) this.#done(true);
  }

  /** Sends a message as an answer to the one that is being handled. */
  answer(message: CommMessage): void {
    this.send({ type: 'comm', id: this.#handling ?? '', message });
  }

  #done(isKnown: boolean, problem?: string): void {
    // in this order: an interrupt between the two makes it be said twice, and never not at all
    this.send({ type: 'comm-done', id: this.#handling!, isKnown, problem });
    this.#handling = undefined;
  }

  #accept(message: CommMessage): boolean {
    const { commId, targetName = '', data } = message;
    const target = this.#targets.get(targetName);
    if (target === undefined || target.cell?.abandoned) return false;
    const comm = this.#make(commId, targetName);
    const open = () => target.onOpen(comm, data, extrasOf(message));
    // where it fails, the client is told that there is no listener
    if (!callInCell(target.cell, open, this.send)) comm.close();
    return true;
  }

  #pass(message: CommMessage): boolean {
    const { commId, type, data } = message;
    const comm = this.#comms.get(commId);
    if (type === 'comm_msg') this.#receivers.get(commId)?.message(data, extrasOf(message));
    comm?.receive(message);
    return comm !== undefined;
  }

  #make(id: string, target: string): Comm {
    const comm = new Comm(id, target, {
      send: this.send,
      publish: (message) => this.#publish(message),
      forget: () => this.#forget(id),
    });
    this.#comms.set(id, comm);
    return comm;
  }

  #forget(id: string): void {
    this.#comms.delete(id);
    const receiver = this.#receivers.get(id);
    this.#receivers.delete(id);
    receiver?.closed?.();
  }

  #publish(message: CommMessage): void {
    refuseAbandoned();
    this.send({ type: 'comm', id: currentCell()?.id ?? '', message });
  }
}
