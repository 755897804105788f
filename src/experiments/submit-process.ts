import { type ChildProcess, fork } from 'node:child_process';
import type { Clock } from '../common/clock.js';
import type { Reply, Request, WorkerConfig } from './submit-protocol.js';

/** The child answered that it could not do what it was asked. It can be asked again. */
export class RequestFailed extends Error {
  override name = 'RequestFailed';
}

/** The child ended, or had to be ended, before it answered. */
export class WorkerDied extends Error {
  override name = 'WorkerDied';
}

/** A child process, as its parent sees it. */
export interface SubmitWorker {
  /**
   * Asks and waits for the end of the answer; one request at a time.
   * @param onReply told everything before the end
   * @throws {RequestFailed | WorkerDied}
   */
  request(request: Request, onReply?: (reply: Reply) => void): Promise<Extract<Reply, { type: 'done' }>>;
  /** Ends the child at once; a request in progress is rejected. */
  kill(reason: string): void;
}

/** How child processes are started. */
export interface SpawnOptions {
  /** The bundle to run. */
  readonly file: string;
  readonly config: WorkerConfig;
  /** A child that gives no sign of life for so long is ended. */
  readonly stallSeconds: number;
  readonly clock: Clock;
}

/** How much of what a child writes is kept, in characters: the end, where the reason is. */
const KEPT = 2000;

/** Starts a child and opens the tasks and prompts in it. @throws {RequestFailed | WorkerDied} */
export async function startWorker(options: SpawnOptions): Promise<SubmitWorker> {
  const worker = new ChildWorker(options);
  try {
    await worker.request({ type: 'open', config: options.config });
  } catch (error) {
    worker.kill('the process could not begin');
    throw error;
  }
  return worker;
}

class ChildWorker implements SubmitWorker {
  readonly #child: ChildProcess;
  readonly #options: SpawnOptions;
  #pending:
    | {
        onReply: (reply: Reply) => void;
        resolve: (reply: Extract<Reply, { type: 'done' }>) => void;
        reject: (error: Error) => void;
      }
    | undefined;
  #dead: WorkerDied | undefined;
  #stderr = '';
  #cancelStall = () => {};

  constructor(options: SpawnOptions) {
    this.#options = options;
    this.#child = fork(options.file, {
      serialization: 'advanced', // log-probabilities may be infinite
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-KEPT);
    });
    this.#child.on('message', (reply: Reply) => this.#receive(reply));
    this.#child.on('error', (error) => this.#die(error.message));
    this.#child.on('close', (code, signal) => {
      const lastLine = this.#stderr.trim().split('\n').at(-1);
      const why = signal === 'SIGKILL' ? ', most likely because the memory was full' : '';
      const how = signal ? `was ended by ${signal}${why}` : `ended with code ${code}`;
      this.#die(`the process ${how}${lastLine ? `: ${lastLine}` : ''}`);
    });
  }

  request(
    request: Request,
    onReply: (reply: Reply) => void = () => {},
  ): Promise<Extract<Reply, { type: 'done' }>> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return reject(this.#dead);
      this.#pending = { onReply, resolve, reject };
      this.#watch();
      this.#child.send(request, (error) => {
        if (error) this.#die(`the process does not listen: ${error.message}`);
      });
    });
  }

  kill(reason: string): void {
    this.#child.kill('SIGKILL');
    this.#die(reason);
  }

  #receive(reply: Reply): void {
    const pending = this.#pending;
    if (!pending) return;
    if (reply.type === 'done' || reply.type === 'failed') {
      this.#pending = undefined;
      this.#cancelStall();
      if (reply.type === 'done') pending.resolve(reply);
      else pending.reject(new RequestFailed(reply.message));
      return;
    }
    this.#watch();
    pending.onReply(reply);
  }

  /** Ends the child when it says nothing from now on. */
  #watch(): void {
    const { clock, stallSeconds } = this.#options;
    this.#cancelStall();
    this.#cancelStall = clock.after(stallSeconds, () =>
      this.kill(`the process gave no sign of life for ${stallSeconds} s and was ended`),
    );
  }

  #die(reason: string): void {
    this.#cancelStall();
    this.#dead ??= new WorkerDied(reason);
    this.#pending?.reject(this.#dead);
    this.#pending = undefined;
  }
}
