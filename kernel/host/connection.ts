import { Session } from 'node:inspector';
import { type MessagePort, workerData } from 'node:worker_threads';
import type { EngineConnection, FromEngine, ToEngine } from '../contract.js';
import { Channel, type ChannelMemory, Side } from './channel.js';
import { type NativePipes, NativeReader } from './native-output.js';
import { OutputReader } from './reader.js';
import { signalDescendants, watchInterruptSignal } from './signals.js';

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
/** The same where no cell runs: what is terminated by mistake is then the beginning of the next one, in ms. */
const HEAR_IDLE_MS = 500;
/** How long it then may take to come to itself, in ms. */
const RETRY_MS = 60;
/** After how many attempts to terminate the child processes are interrupted. */
const CHILDREN_ATTEMPT = 3;
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
  /** The cell that is being interrupted. */
  #interrupted: string | undefined;

  constructor(data: ConnectionData) {
    this.#data = data;
    this.#channel = new Channel(Side.Transport, data.memory);
    watchInterruptSignal(() => this.interrupt());
  }

  send(message: ToEngine): void {
    if (message.type === 'execute') {
      this.#cells.push(message.id);
      // now, because connecting waits for the main thread, which may soon be busy
      this.#session ??= connectToMain();
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
    // without a cell it may still be what one has left behind that keeps the main thread busy
    const id = this.#cells[0] ?? '';
    if (id !== '' && id === this.#interrupted) return;
    this.#interrupted = id;
    // a cell that waits in `prompt` finds this when it wakes
    this.#data.inputs.postMessage({ interrupted: true });
    this.#channel.announceInput();
    this.#abandon(id, this.#channel.interruptsHeard, 1);
  }

  /**
   * A main thread that is free hears of the interrupt at once. One that computes does not: then what it does is
   * terminated, and it is told once more, until it listens; the next callback may compute as well, and what was
   * terminated may have been the listening. What cannot be terminated is native, and then perhaps a child process
   * that it waits for: that one gets the signal.
   */
  #abandon(id: string, heard: number, attempt: number): void {
    const isOver = () => this.#channel.interruptsHeard !== heard || (id !== '' && this.#cells[0] !== id);
    this.#data.requests.postMessage({ type: 'abandon', id } satisfies ToEngine);
    setTimeout(
      () => {
        if (isOver()) return;
        if (!this.#channel.isCritical) {
          this.#session?.post('Runtime.terminateExecution');
          if (attempt === CHILDREN_ATTEMPT) signalDescendants('SIGINT');
        }
        setTimeout(() => {
          if (!isOver()) this.#abandon(id, heard, attempt + 1);
        }, RETRY_MS);
      },
      id === '' ? HEAR_IDLE_MS : HEAR_MS,
    );
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
