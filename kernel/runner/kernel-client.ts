import { randomUUID } from 'node:crypto';
import type { Dealer, Subscriber } from 'zeromq';
import { UserError } from '../../src/common/errors.js';
import { addressOf } from '../jupyter/connection.js';
import { type Header, type Json, type Message, Wire } from '../jupyter/wire.js';
import { type KernelDiedError, KernelProcess } from './kernel-process.js';
import type { KernelSpec } from './kernelspecs.js';

/** Seconds that a kernel has to answer for the first time. */
const START_TIMEOUT = 60;
/** Seconds without any output after which the end of it, which was lost, is no longer waited for. */
const OUTPUT_SILENCE = 4;
/** Seconds that a kernel has to end by itself when it is asked to. */
const SHUTDOWN_TIMEOUT = 3;

/** How a cell ended. */
export interface ExecuteReply {
  status: 'ok' | 'error' | 'aborted';
  executionCount: number | null;
  ename?: string;
  evalue?: string;
  traceback?: string[];
  /** The kernel never said that the output is complete. */
  outputIsIncomplete: boolean;
  /** When the reply was sent, ISO 8601. */
  date: string;
}

interface Pending {
  reply?: Message;
  isIdle: boolean;
  settle(): void;
}

const sleep = (seconds: number) => new Promise<void>((done) => setTimeout(done, seconds * 1000));

/** A client of one kernel that it has started: Jupyter's messaging protocol 5.4 over ZeroMQ. */
export class KernelClient {
  /** Called for each message about output; `parent` is the id of the request that caused it. */
  onOutput: (parent: string, type: string, content: Json, header: Header) => void = () => {};
  /** Called when a kernel asks for a line although it was told that there is no input. */
  onInputRequest: (prompt: string) => void = () => {};
  readonly process: KernelProcess;
  #spec: KernelSpec;
  #wire: Wire;
  #shell: Dealer;
  #control: Dealer;
  #stdin: Dealer;
  #iopub: Subscriber;
  #pending = new Map<string, Pending>();
  #lastOutput = 0;

  private constructor(spec: KernelSpec, kernel: KernelProcess, zmq: typeof import('zeromq')) {
    this.#spec = spec;
    this.process = kernel;
    const { connection } = kernel;
    this.#wire = new Wire(connection.key, connection.hash);
    // no limits: what does not fit would be dropped; questions go to whom has the identity of the shell
    const options = { receiveHighWaterMark: 0, linger: 0, reconnectInterval: 50 };
    const routingId = randomUUID();
    this.#shell = new zmq.Dealer({ ...options, routingId });
    this.#stdin = new zmq.Dealer({ ...options, routingId });
    this.#control = new zmq.Dealer({ ...options, routingId });
    this.#iopub = new zmq.Subscriber(options);
    for (const name of ['shell', 'stdin', 'control', 'iopub'] as const) {
      this.#sockets[name].connect(addressOf(connection, name));
    }
    this.#iopub.subscribe();
    void this.#receive(this.#shell, (message) => this.#onReply(message));
    void this.#receive(this.#control, (message) => this.#onReply(message));
    void this.#receive(this.#iopub, (message) => this.#onPublished(message));
    void this.#receive(this.#stdin, ({ header, content }) => {
      if (header.msg_type === 'input_request') this.onInputRequest(String(content.prompt ?? ''));
    });
  }

  get #sockets() {
    return { shell: this.#shell, stdin: this.#stdin, control: this.#control, iopub: this.#iopub };
  }

  /**
   * Starts a kernel and waits until it answers and its output arrives.
   * @throws {UserError} when it does not, with its exit code and last words
   */
  static async start(spec: KernelSpec, cwd: string, signal?: AbortSignal): Promise<KernelClient> {
    const zmq = await import('zeromq');
    for (let attempt = 1; ; attempt++) {
      const kernel = await KernelProcess.start(spec, cwd);
      const client = new KernelClient(spec, kernel, zmq);
      const aborted = new Promise<'aborted'>((resolve) => {
        signal?.addEventListener('abort', () => resolve('aborted'), { once: true });
        if (signal?.aborted) resolve('aborted');
      });
      const timer = timeout(START_TIMEOUT);
      const first = await Promise.race([client.#greet(), kernel.died, aborted, timer.done]);
      timer.clear();
      if (first === 'ready') {
        kernel.forgetConnectionFile();
        return client;
      }
      client.kill();
      const death = await kernel.died;
      // another program may have taken a port between our look and the kernel's
      if (typeof first === 'object' && attempt < 3 && /address.*in use|EADDRINUSE/i.test(first.message))
        continue;
      if (first === 'aborted') throw new UserError('interrupted before the kernel had started');
      if (first === 'late') {
        throw new UserError(
          `The kernel ${spec.name} did not answer within ${START_TIMEOUT} s: ${death.stderr.join(' | ')}`,
        );
      }
      throw new UserError(`The kernel ${spec.name} did not start: ${first.message}`);
    }
  }

  /** Asks for the kernel's description until the answer and some output have arrived. */
  async #greet(): Promise<'ready' | 'late'> {
    while (this.process.isAlive) {
      const { done } = this.#request(
        this.#shell,
        'kernel_info_request',
        {},
        (pending) => pending.reply !== undefined,
      );
      await done.catch(() => {});
      // what is published before the subscription has arrived is lost: ask again
      for (let i = 0; i < 10 && this.#lastOutput === 0; i++) await sleep(0.02);
      if (this.#lastOutput > 0) return 'ready';
    }
    return 'late';
  }

  async #receive(socket: Dealer | Subscriber, take: (message: Message) => void): Promise<void> {
    try {
      for await (const frames of socket) {
        let message: Message;
        try {
          message = this.#wire.decode(frames);
        } catch {
          continue; // not of this kernel
        }
        take(message);
      }
    } catch {
      // closed while waiting
    }
  }

  #onReply(message: Message): void {
    const pending = this.#pending.get(String(message.parentHeader.msg_id));
    if (pending) {
      pending.reply = message;
      pending.settle();
    }
  }

  #onPublished({ header, parentHeader, content }: Message): void {
    this.#lastOutput = Date.now();
    const parent = String(parentHeader.msg_id ?? '');
    this.onOutput(parent, header.msg_type, content, header);
    const pending = this.#pending.get(parent);
    if (pending && header.msg_type === 'status' && content.execution_state === 'idle') {
      pending.isIdle = true;
      pending.settle();
    }
  }

  /** Sends a request; `done` resolves when `isDone` says so after something arrived for it. */
  #request(
    socket: Dealer,
    type: string,
    content: object,
    isDone: (pending: Pending) => boolean,
  ): { id: string; pending: Pending; done: Promise<void> } {
    const frames = this.#wire.encode(type, content, undefined);
    const id = (JSON.parse(frames[2]!.toString()) as Header).msg_id;
    let resolve = () => {};
    const answered = new Promise<void>((done) => {
      resolve = done;
    });
    const pending: Pending = {
      isIdle: false,
      settle: () => {
        if (isDone(pending)) resolve();
      },
    };
    this.#pending.set(id, pending);
    const sent = socket.send(frames);
    const done = Promise.race([
      sent.then(() => answered),
      this.process.died.then((death) => Promise.reject(death)),
    ]).finally(() => this.#pending.delete(id));
    return { id, pending, done };
  }

  /**
   * Runs code. `id` is the parent of its output.
   * `done` rejects with {@link KernelDiedError} when the kernel ends meanwhile.
   */
  execute(code: string, stopOnError: boolean): { id: string; done: Promise<ExecuteReply> } {
    const content = {
      code,
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: stopOnError,
    };
    let outputIsIncomplete = false;
    const { id, pending, done } = this.#request(this.#shell, 'execute_request', content, (state) => {
      if (state.reply === undefined) return false;
      if (state.isIdle) return true;
      // the reply may overtake the output on the other socket; that the kernel lost the end of it is possible too
      const since = Date.now();
      const look = setInterval(() => {
        if (!state.isIdle && Date.now() - Math.max(since, this.#lastOutput) < OUTPUT_SILENCE * 1000) return;
        clearInterval(look);
        outputIsIncomplete = !state.isIdle;
        state.isIdle = true;
        state.settle();
      }, 100).unref();
      return false;
    });
    return {
      id,
      done: done.then(
        () => ({ ...readReply(pending.reply!), outputIsIncomplete }),
        async (death: KernelDiedError) => {
          // what it sent before the end may still be on its way
          for (let silent = 0; silent < 0.1; silent = (Date.now() - this.#lastOutput) / 1000)
            await sleep(0.05);
          throw death;
        },
      ),
    };
  }

  /** Stops the running cell, the way its kernelspec asks for. */
  interrupt(): void {
    if (this.#spec.interruptMode === 'signal') this.process.signal('SIGINT');
    else this.#request(this.#control, 'interrupt_request', {}, () => true).done.catch(() => {});
  }

  /** Asks the kernel to end, ends it if it does not, and closes everything. */
  async close(): Promise<void> {
    if (this.process.isAlive) {
      this.#request(this.#control, 'shutdown_request', { restart: false }, () => true).done.catch(() => {});
      const limit = timeout(SHUTDOWN_TIMEOUT);
      await Promise.race([this.process.died, limit.done]);
      limit.clear();
    }
    this.kill();
    await this.process.died;
  }

  /** Ends the kernel at once. */
  kill(): void {
    this.process.signal('SIGKILL');
    for (const socket of Object.values(this.#sockets)) socket.close();
  }
}

/** A time limit that does not keep the program alive when it is cleared. */
function timeout(seconds: number): { done: Promise<'late'>; clear: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const done = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), seconds * 1000);
  });
  return { done, clear: () => clearTimeout(timer) };
}

function readReply({ content, header }: Message): Omit<ExecuteReply, 'outputIsIncomplete'> {
  const { status, execution_count: count, ename, evalue, traceback } = content;
  return {
    // tslab says `abort`, the specification `aborted`
    status: status === 'ok' || status === 'error' ? status : 'aborted',
    executionCount: typeof count === 'number' ? count : null,
    ...(typeof ename === 'string' && { ename }),
    ...(typeof evalue === 'string' && { evalue }),
    ...(Array.isArray(traceback) && { traceback: traceback.map(String) }),
    date: header.date,
  };
}
