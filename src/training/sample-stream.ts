import { Worker } from 'node:worker_threads';
import { UserError } from '../common/errors.js';
import { NothingFitsError } from './errors.js';
import type { FineTuneConfig } from './options.js';
import type { TrainingSample } from './sample.js';
import type { SampleSource, StreamItem } from './sample-source.js';

/** Items `first` … `first + count − 1`, asked of a worker. */
export interface SampleRequest {
  readonly first: number;
  readonly count: number;
}

/** A worker's answer, or the message of what went wrong in it. */
export type SampleReply =
  | { readonly first: number; readonly items: readonly StreamItem[] }
  | { readonly error: string; readonly isUserError: boolean };

/** Where a stream takes its items from; how long they may be is for the message when almost nothing fits. */
export interface SampleStreamOptions
  extends Pick<FineTuneConfig, 'maxSeqLen' | 'removeTrainSamplesToFitMaxSeqLen'> {
  /** Makes items in this thread. */
  readonly source?: Pick<SampleSource, 'item'>;
  /** Makes items in worker threads: the bundle to run, what to hand it, and how many. */
  readonly worker?: { readonly file: string; readonly data: unknown; readonly count: number };
  /** The first item to take. */
  readonly start?: number;
  /** How many items to have ready. */
  readonly ahead?: number;
}

/** Items per message to a worker: enough to hide the message, few enough to share the work evenly. */
const CHUNK = 4;
/**
 * Stop when none of this many items fits, or fewer than one in a hundred of ten times as many. No option: it only says
 * how soon a mistake in the data or in `maxSeqLen` is found.
 */
const PATIENCE = 200;

/** Whether so few of the first samples fit that something is wrong. */
export function almostNothingFits(seen: number, accepted: number): boolean {
  if (seen >= PATIENCE && accepted === 0) return true;
  return seen >= 10 * PATIENCE && accepted < seen / 100;
}

/**
 * The endless sequence of training samples, in order, made ahead of time by worker threads (or when asked
 * for, without them). Items that are too long are passed over.
 */
export class SampleStream {
  readonly #options: SampleStreamOptions;
  readonly #workers: { worker: Worker; pending: number }[] = [];
  readonly #ready = new Map<number, StreamItem>();
  readonly #ahead: number;
  #next: number;
  #requested: number;
  #seen = 0;
  #accepted = 0;
  #shortest = Number.POSITIVE_INFINITY;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #peeked: TrainingSample | undefined;
  #closed = false;

  constructor(options: SampleStreamOptions) {
    this.#options = options;
    this.#next = this.#requested = options.start ?? 0;
    this.#ahead = Math.max(CHUNK, options.ahead ?? 32);
    for (let i = 0; i < (options.worker?.count ?? 0); i++) this.#startWorker();
    this.#request();
  }

  /** The index of the first item that {@link next} has not passed: what a checkpoint keeps. */
  get position(): number {
    return this.#peeked?.index ?? this.#next;
  }

  /** How many items were passed over because they were too long, and how many were looked at. */
  get skipped(): { tooLong: number; seen: number } {
    return { tooLong: this.#seen - this.#accepted, seen: this.#seen };
  }

  /** Makes sure that there is a next sample, before a model is loaded. @throws {NothingFitsError} */
  async check(): Promise<void> {
    this.#peeked ??= await this.#advance();
  }

  /** The next sample that fits. @throws {NothingFitsError} when almost nothing does. */
  async next(): Promise<TrainingSample> {
    const sample = this.#peeked ?? (await this.#advance());
    this.#peeked = undefined;
    return sample;
  }

  /** Ends the workers. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#workers.splice(0).map(({ worker }) => worker.terminate()));
  }

  async #advance(): Promise<TrainingSample> {
    while (true) {
      const item = await this.#take();
      this.#seen++;
      if (!('tooLong' in item)) {
        this.#accepted++;
        return item;
      }
      this.#shortest = Math.min(this.#shortest, item.tooLong);
      if (almostNothingFits(this.#seen, this.#accepted)) this.#stop();
    }
  }

  #stop(): never {
    const { maxSeqLen, removeTrainSamplesToFitMaxSeqLen: removes } = this.#options;
    const advice = removes ? '' : ' or add `removeTrainSamplesToFitMaxSeqLen`';
    throw new NothingFitsError(
      `\`maxSeqLen: ${maxSeqLen}\`: only ${this.#accepted} of the first ${this.#seen} training samples fit; ` +
        `the shortest that does not has ${this.#shortest} tokens. Raise \`maxSeqLen\`${advice}`,
    );
  }

  async #take(): Promise<StreamItem> {
    const index = this.#next;
    if (this.#options.source) {
      this.#next++;
      return this.#options.source.item(index);
    }
    while (!this.#ready.has(index)) {
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const item = this.#ready.get(index)!;
    this.#ready.delete(index);
    this.#next++;
    this.#request();
    return item;
  }

  /** Keeps the workers busy until enough items are ready or on their way. */
  #request(): void {
    while (this.#workers.length > 0 && this.#requested < this.#next + this.#ahead) {
      const least = this.#workers.reduce((a, b) => (b.pending < a.pending ? b : a));
      least.pending++;
      least.worker.postMessage({ first: this.#requested, count: CHUNK } satisfies SampleRequest);
      this.#requested += CHUNK;
    }
  }

  #startWorker(): void {
    const { file, data } = this.#options.worker!;
    const entry = { worker: new Worker(file, { workerData: data }), pending: 0 };
    this.#workers.push(entry);
    entry.worker.on('message', (reply: SampleReply) => {
      entry.pending--;
      if ('error' in reply) this.#fail(new (reply.isUserError ? UserError : Error)(reply.error));
      else for (const [i, item] of reply.items.entries()) this.#ready.set(reply.first + i, item);
      this.#wake?.();
    });
    entry.worker.on('error', (error) =>
      this.#fail(error instanceof Error ? error : new Error(String(error))),
    );
    entry.worker.on('exit', (code) => {
      if (!this.#closed) this.#fail(new Error(`a sample worker stopped with code ${code}`));
    });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }
}
