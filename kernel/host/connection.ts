import { Session } from 'node:inspector';
import { type MessagePort, workerData } from 'node:worker_threads';
import type { EngineConnection, FromEngine, ToEngine } from '../contract.js';
import { Channel, type ChannelMemory, Side } from './channel.js';
import { Interrupter } from './interrupt.js';
import type { KeptMemory } from './kept-memory.js';
import { type NativePipes, NativeReader } from './native-output.js';
import { endProcessTree, signalDescendants } from './process-tree.js';
import { OutputReader } from './reader.js';
import { RemnantWatch } from './remnants.js';
import { RequestSender } from './requests.js';
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

/** How long a busy main thread may take to end before the process is killed, in ms. */
const SHUTDOWN_MS = 500;

/** Connects the transport thread, in which this is called, with the engine on the main thread. */
export function connectToEngine(): EngineConnection {
  return new Connection((workerData as { engine: ConnectionData }).engine);
}

class Connection implements EngineConnection {
  readonly #data: ConnectionData;
  readonly #channel: Channel;
  readonly #requests: RequestSender;
  readonly #interrupter: Interrupter;
  readonly #remnants: RemnantWatch;
  #session: Session | undefined;
  /** Whether the debugger was ever asked for, and whether a cell stands at a breakpoint. */
  #isDebugged = false;
  #isPaused = false;
  #reader: OutputReader | undefined;
  /** Cells that were sent and whose `done` has not come, in order, with the numbers of their requests. */
  #cells: { id: string; number: number; lane: string }[] = [];

  constructor(data: ConnectionData) {
    this.#data = data;
    this.#channel = new Channel(Side.Transport, data.memory);
    this.#requests = new RequestSender(data.requests, this.#channel);
    this.#interrupter = new Interrupter(this.#channel, this.#requests, () => this.#session);
    this.#remnants = new RemnantWatch(this.#channel, this.#requests, () => this.#connected());
    watchInterruptSignal(() => this.interrupt());
  }

  get kept(): KeptMemory | undefined {
    return this.#channel.kept;
  }

  get handed(): number {
    return this.#reader?.handed ?? 0;
  }

  sent(number: number): void {
    this.#reader?.sent(number);
  }

  send(message: ToEngine): void {
    if (message.type === 'execute') {
      // now, because connecting waits for the main thread, which may soon be busy
      this.#connected();
      if (this.#reader !== undefined) this.#reader.busy = true;
    }
    const number = this.#requests.send(message);
    if (message.type === 'execute') {
      this.#cells.push({ id: message.id, number, lane: message.request.lane ?? '' });
      this.#remnants.start();
    }
  }

  onMessage(handler: (message: FromEngine) => void | Promise<void>): void {
    const native = this.#data.pipes === undefined ? undefined : new NativeReader(this.#data.pipes);
    const reader = new OutputReader(this.#channel, native, (message) => {
      if (message.type === 'done') {
        this.#cells = this.#cells.filter(({ id }) => id !== message.id);
        reader.busy = this.#cells.length > 0;
        if (this.#cells.length === 0) this.#remnants.stop();
      }
      return handler(message);
    });
    this.#reader = reader;
    this.#data.wake.on('message', () => reader.wake());
    reader.wake();
  }

  interrupt(): void {
    // without a cell it may still be what one has left behind that keeps the main thread busy
    const main = this.#cells.find(({ lane }) => lane === '');
    const { id, number } = main ?? this.#cells[0] ?? { id: '', number: 0 };
    if (this.#isPaused) this.#session?.post('Debugger.resume', { terminateOnResume: true }, () => {});
    // a cell that waits in `prompt` finds this when it wakes
    this.#data.inputs.postMessage({ interrupted: true });
    this.#channel.announceInput();
    if (number !== 0) this.#reader?.hurry();
    this.#interrupter.interrupt(id, number);
  }

  input(text: string | undefined): void {
    this.#data.inputs.postMessage({ text });
    this.#channel.announceInput();
  }

  inspector(): Session {
    const session = this.#connected();
    if (!this.#isDebugged) {
      this.#isDebugged = true;
      session.on('Debugger.paused', () => {
        this.#isPaused = true;
      });
      session.on('Debugger.resumed', () => {
        this.#isPaused = false;
      });
    }
    return session;
  }

  #connected(): Session {
    this.#session ??= connectToMain();
    return this.#session;
  }

  shutdown(): void {
    if (this.kept !== undefined) this.kept.isEnding = true;
    this.#requests.send({ type: 'shutdown' });
    // nothing that a cell does may keep the process alive: neither a loop nor an exit handler
    setTimeout(() => {
      // what the cell that runs waits for, too
      if (process.platform === 'win32') endProcessTree(process.pid, 'SIGKILL');
      signalDescendants('SIGTERM');
      process.kill(process.pid, 'SIGKILL');
    }, SHUTDOWN_MS);
  }
}

function connectToMain(): Session {
  const session = new Session();
  session.connectToMainThread();
  return session;
}
