/**
 * The protocol by which threads share one job, laid out in the first bytes of the shared memory.
 *
 * A job is an exported kernel, its arguments, and a number of items cut into chunks. Threads take chunks by
 * decrementing one counter: a positive old value is a chunk of the current job (its arguments were written
 * before the counter), anything else means there is nothing to do. So a thread that wakes late can never
 * mistake one job for another. What a kernel writes for an item never depends on the other items, so that
 * results are the same for every number of threads.
 */

/** Everything below this address is not for tensors. */
const RESERVED_BYTES = 65536;
/** AssemblyScript puts its static data at 1024 and above; ours has none, and this leaves room for it. */
export const CONTROL_ADDRESS = 32768;
/** Kernel arguments: 32 numbers as float64, which holds every pointer, size and float32. */
export const ARGUMENTS_ADDRESS = CONTROL_ADDRESS + 256;
export const MAX_ARGUMENTS = 32;
/** Shapes, strides and small tables that a kernel reads: 16 KB of int32. */
export const TABLE_ADDRESS = CONTROL_ADDRESS + 1024;
export const TABLE_BYTES = 16384;
/** Private working memory of each thread, for packed panels and partial results. */
export const SCRATCH_BYTES = 1 << 20;
export const MAX_THREADS = 8;

/** Words of the control area (int32 index). Counters that different threads write sit on lines of their own. */
export const Word = {
  /** Changes with every job; sleeping threads wait on it. */
  sequence: 0,
  kernel: 1,
  argumentCount: 2,
  items: 3,
  grain: 4,
  chunks: 5,
  /** Chunks not yet taken; may drop below zero. */
  remaining: 16,
  /** Chunks finished. */
  finished: 32,
  /** Workers that have started. */
  ready: 48,
  /** 1 when a kernel has trapped on some thread. */
  failed: 50,
  /** Workers asleep in `Atomics.wait`. */
  sleeping: 49,
} as const;

/** What every exported kernel looks like: its own arguments, then first item, end of items, scratch address. */
export type WasmKernel = (...args: number[]) => void;

/** Takes and runs chunks of the current job until none is left. */
export function takeChunks(
  control: Int32Array,
  argumentValues: Float64Array,
  kernels: readonly WasmKernel[],
  scratch: number,
): void {
  for (;;) {
    const ticket = Atomics.sub(control, Word.remaining, 1);
    if (ticket <= 0) return;
    // the job cannot end, and so cannot change, while this thread holds one of its chunks
    const kernel = kernels[control[Word.kernel] as number] as WasmKernel;
    const args = Array.from(argumentValues.subarray(0, control[Word.argumentCount]));
    const chunks = control[Word.chunks] as number;
    const grain = control[Word.grain] as number;
    const begin = (chunks - ticket) * grain;
    try {
      kernel(...args, begin, Math.min(control[Word.items] as number, begin + grain), scratch);
    } catch {
      // the chunk still counts as finished: the main thread waits for all of them, and then reports
      Atomics.store(control, Word.failed, 1);
    }
    if (Atomics.add(control, Word.finished, 1) === chunks - 1) Atomics.notify(control, Word.finished);
  }
}

/** Address of a thread's working memory; thread 0 is the main one. */
export function scratchAddress(thread: number): number {
  return RESERVED_BYTES + thread * SCRATCH_BYTES;
}
