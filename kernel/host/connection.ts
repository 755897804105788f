import { Session } from 'node:inspector';
import { type MessagePort, workerData } from 'node:worker_threads';
import type { EngineConnection, FromEngine, ToEngine } from '../contract.js';
import { Channel, type ChannelMemory } from './channel.js';
import { type NativePipes, NativeReader } from './native-output.js';
import { OutputReader } from './reader.js';
import { watchInterruptSignal } from './signals.js';

/** What the host gives to the worker beside the transport's own data. */
export interface ConnectionData {
  memory: ChannelMemory;
  /** Requests to the main thread. */
  requests: MessagePort;
  /** Wakes the reader of the ring. */
  wake: MessagePort;
  /** Answers to `prompt`. */
  inputs: MessagePort;
  pipes: NativePipes | undefined;
}

/** How long the main thread may take to hear of an interrupt before its execution is terminated, in ms. */
const HEAR_MS = 20;
/** How long a busy main thread may take to end before the process is killed, in ms. */
const SHUTDOWN_MS = 500;

/** Connects the transport thread, in which this is called, with the engine on the main thread. */
export function connectToEngine(): EngineConnection {
  return new Connection((workerData as { engine: ConnectionData }).engine);
}

class Connection implements EngineConnection {
  readonly #data: ConnectionData;
  readonly #channel: Channel;
  #reader: OutputReader | undefined;
  /** Cells that were sent and are not done, in order: the first one runs. */
  readonly #cells: string[] = [];
  #session: Session | undefined;
  #interrupting = false;

  constructor(data: ConnectionData) {
    this.#data = data;
    this.#channel = new Channel(data.memory);
    watchInterruptSignal(() => this.interrupt());
  }

  send(message: ToEngine): void {
    if (message.type === 'execute') {
      this.#cells.push(message.id);
      if (this.#reader !== undefined) this.#reader.busy = true;
    }
    this.#data.requests.postMessage(message);
  }

  onMessage(handler: (message: FromEngine) => void | Promise<void>): void {
    const native = this.#data.pipes === undefined ? undefined : new NativeReader(this.#data.pipes);
    const reader = new OutputReader(this.#channel, native, (message) => {
      if (message.type === 'done') {
        this.#cells.splice(this.#cells.indexOf(message.id), 1);
        reader.busy = this.#cells.length > 0;
      }
      return handler(message);
    });
    this.#reader = reader;
    this.#data.wake.on('message', () => reader.wake());
    reader.wake();
  }

  interrupt(): void {
    const id = this.#cells[0];
    if (id === undefined || this.#interrupting) return;
    this.#interrupting = true;
    const heard = this.#channel.interruptsHeard;
    this.#data.requests.postMessage({ type: 'abandon', id } satisfies ToEngine);
    // a cell that waits in `prompt` finds the message above when it wakes
    this.#data.inputs.postMessage({ interrupted: true });
    this.#channel.announceInput();
    this.#terminateUnlessHeard(heard);
  }

  /**
   * A main thread that is free hears of the interrupt at once. One that computes does not: then what it does is
   * terminated, again and again until it listens, because the next callback may compute as well.
   */
  #terminateUnlessHeard(heard: number): void {
    setTimeout(() => {
      if (this.#channel.interruptsHeard !== heard) {
        this.#interrupting = false;
        return;
      }
      if (!this.#channel.isCritical) {
        this.#session ??= connectToMain();
        this.#session.post('Runtime.terminateExecution');
      }
      this.#terminateUnlessHeard(heard);
    }, HEAR_MS);
  }

  input(text: string | undefined): void {
    this.#data.inputs.postMessage({ text });
    this.#channel.announceInput();
  }

  shutdown(): void {
    this.#data.requests.postMessage({ type: 'shutdown' });
    // nothing that a cell does may keep the process alive: neither a loop nor an exit handler
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), SHUTDOWN_MS);
  }
}

function connectToMain(): Session {
  const session = new Session();
  session.connectToMainThread();
  return session;
}
