import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { UserError } from '../../common/errors.js';
import { buildFile } from '../../common/files.js';
import { OutOfMemoryError } from '../errors.js';
import { Allocator } from './allocator.js';
import {
  ARGUMENTS_ADDRESS,
  CONTROL_ADDRESS,
  MAX_ARGUMENTS,
  MAX_THREADS,
  SCRATCH_BYTES,
  scratchAddress,
  TABLE_ADDRESS,
  TABLE_BYTES,
  takeChunks,
  type WasmKernel,
  Word,
} from './threads.js';

const INITIAL_PAGES = 512;
const MAX_PAGES = 65536;
/** How often the main thread looks before it sleeps until the last chunk is finished. */
const SPINS = 2000;

/** How many threads to use: ARCLAB_THREADS, or one for each core, at most 8. @throws {UserError} */
export function threadCount(setting = process.env.ARCLAB_THREADS): number {
  if (setting === undefined || setting === '') return Math.min(availableParallelism(), MAX_THREADS);
  const count = Number(setting);
  if (!Number.isInteger(count) || count < 1) {
    throw new UserError(
      `ARCLAB_THREADS: expected a whole number from 1 to ${MAX_THREADS}, found "${setting}"`,
    );
  }
  return Math.min(count, MAX_THREADS);
}

/** Reserves 4 GB of addresses, or less where the system does not give as many (`ulimit -v`). */
function reserveMemory(): WebAssembly.Memory {
  for (let maximum = MAX_PAGES; maximum > INITIAL_PAGES; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true });
    } catch {
      // half of it, then
    }
  }
  throw new OutOfMemoryError(
    'out of memory: the system does not grant the wasm backend even 64 MB of addresses',
  );
}

/** The compiled kernels, the memory in which all tensors live, and the threads that run the kernels on it. */
export class WasmRuntime {
  readonly memory: WebAssembly.Memory;
  readonly allocator: Allocator;
  readonly threads: number;
  readonly #kernels: WasmKernel[];
  readonly #indices = new Map<string, number>();
  readonly #control: Int32Array;
  readonly #arguments: Float64Array;
  readonly #table: Int32Array;
  readonly #scratch = scratchAddress(0);
  readonly #workers: Worker[] = [];
  #tableUsed = 0;
  #float32: Float32Array;
  #int32: Int32Array;
  #uint8: Uint8Array;

  /** @param threads how many threads take part, the main one included */
  constructor(threads = threadCount()) {
    this.threads = threads;
    const module = new WebAssembly.Module(readFileSync(buildFile('kernels.wasm')));
    this.memory = reserveMemory();
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.memory } });
    const kernelNames = Object.keys(exports).filter((name) => typeof exports[name] === 'function');
    this.#kernels = kernelNames.map((name) => exports[name] as WasmKernel);
    for (const [index, name] of kernelNames.entries()) this.#indices.set(name, index);
    const { buffer } = this.memory;
    this.#control = new Int32Array(buffer, CONTROL_ADDRESS, 64);
    this.#arguments = new Float64Array(buffer, ARGUMENTS_ADDRESS, MAX_ARGUMENTS);
    this.#table = new Int32Array(buffer, TABLE_ADDRESS, TABLE_BYTES / 4);
    this.#float32 = new Float32Array(buffer);
    this.#int32 = new Int32Array(buffer);
    this.#uint8 = new Uint8Array(buffer);
    this.allocator = new Allocator(this.memory, scratchAddress(0) + threads * SCRATCH_BYTES);
    for (let thread = 1; thread < threads; thread++) {
      const worker = new Worker(buildFile('wasm-worker.cjs'), {
        workerData: { module, memory: this.memory, kernelNames, thread },
        env: {},
        execArgv: [],
      });
      worker.unref();
      this.#workers.push(worker);
    }
  }

  /** All of the memory as float32. The view is made anew after the memory has grown. */
  get float32(): Float32Array {
    this.#refresh();
    return this.#float32;
  }

  /** All of the memory as int32. */
  get int32(): Int32Array {
    this.#refresh();
    return this.#int32;
  }

  /** All of the memory as bytes. */
  get uint8(): Uint8Array {
    this.#refresh();
    return this.#uint8;
  }

  #refresh(): void {
    const { buffer } = this.memory;
    if (buffer === this.#uint8.buffer) return;
    this.#float32 = new Float32Array(buffer);
    this.#int32 = new Int32Array(buffer);
    this.#uint8 = new Uint8Array(buffer);
  }

  /** The index by which {@link run} knows an exported kernel. */
  kernel(name: string): number {
    const index = this.#indices.get(name);
    if (index === undefined) throw new Error(`kernels.wasm has no export "${name}": run npm run build`);
    return index;
  }

  /** Puts small integers where kernels can read them until {@link run} returns. */
  table(values: readonly number[]): number {
    if (this.#tableUsed + values.length > this.#table.length) {
      throw new Error(`a kernel's table of ${values.length} numbers does not fit in ${TABLE_BYTES} bytes`);
    }
    const address = TABLE_ADDRESS + this.#tableUsed * 4;
    this.#table.set(values, this.#tableUsed);
    this.#tableUsed += values.length;
    return address;
  }

  /**
   * Runs a kernel over `items` items, at most `grain` at a time, on all threads. Returns when all are done.
   * A job of one chunk stays on this thread.
   */
  run(kernel: number, args: readonly number[], items: number, grain: number): void {
    this.#tableUsed = 0;
    if (items <= 0) return;
    const control = this.#control;
    if (items <= grain || this.threads === 1) {
      // same chunks as with threads: a kernel may pack its working memory for `grain` items at most
      const f = this.#kernels[kernel] as WasmKernel;
      for (let begin = 0; begin < items; begin += grain) {
        f(...args, begin, Math.min(items, begin + grain), this.#scratch);
      }
      return;
    }
    const chunks = Math.ceil(items / grain);
    this.#arguments.set(args);
    control[Word.kernel] = kernel;
    control[Word.argumentCount] = args.length;
    control[Word.items] = items;
    control[Word.grain] = grain;
    control[Word.chunks] = chunks;
    Atomics.store(control, Word.finished, 0);
    Atomics.store(control, Word.remaining, chunks);
    Atomics.add(control, Word.sequence, 1);
    if (Atomics.load(control, Word.sleeping) > 0) Atomics.notify(control, Word.sequence);
    takeChunks(control, this.#arguments, this.#kernels, this.#scratch);
    for (let spin = 0; ; spin++) {
      const finished = Atomics.load(control, Word.finished);
      if (finished === chunks) break;
      if (spin >= SPINS) Atomics.wait(control, Word.finished, finished, 10);
    }
    if (Atomics.exchange(control, Word.failed, 0) !== 0) {
      const name = [...this.#indices].find(([, index]) => index === kernel)?.[0];
      throw new Error(`wasm backend: kernel ${name} reached outside of its memory`);
    }
  }

  /** Stops the threads. */
  dispose(): void {
    for (const worker of this.#workers) void worker.terminate();
  }
}
