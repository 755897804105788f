import { formatMebibytes } from '../../common/format-bytes.js';
import { OutOfMemoryError } from '../errors.js';

/** WebGPU's numbers for what a buffer may be used for; the names are globals in a browser only. */
export const usage = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, UNIFORM: 0x40, STORAGE: 0x80 } as const;

/** A buffer of the device; its size is kept beside it because asking the device for it is a call. */
export interface DeviceBuffer {
  readonly gpu: GPUBuffer;
  /** In bytes. */
  readonly size: number;
  /** Different for every buffer that is made. */
  readonly id: number;
}

const STORAGE = usage.STORAGE | usage.COPY_SRC | usage.COPY_DST;

/** Sizes are rounded up, so that results of slightly different lengths take the same buffers. */
export function sizeClass(bytes: number): number {
  const unit = 2 ** Math.max(8, Math.floor(Math.log2(Math.max(1, bytes))) - 3);
  return Math.max(unit, Math.ceil(bytes / unit) * unit);
}

/** Free bytes that are kept whatever is in use. */
const KEPT_BYTES = 64 * 2 ** 20;

/** Free buffers of one size, of which the one that was made first comes first: a binary heap by number. */
class FreeBuffers {
  readonly #heap: DeviceBuffer[] = [];

  get first(): DeviceBuffer | undefined {
    return this.#heap[0];
  }

  add(buffer: DeviceBuffer): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (heap[above]!.id < buffer.id) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = buffer;
  }

  take(): DeviceBuffer | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below + 1 < heap.length && heap[below + 1]!.id < heap[below]!.id) below++;
      if (below >= heap.length || heap[below]!.id > last.id) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

/** What is free of one size: released since the last submission, and before it. */
interface SizeClass {
  readonly recent: FreeBuffers;
  readonly settled: FreeBuffers;
}

/** A buffer that the device had no memory for. */
export interface Refusal {
  readonly bytes: number;
  /** What it was for. */
  readonly what: string;
  /** Bytes of tensors that were in use beside it. */
  readonly inUse: number;
}

/**
 * Buffers in use and free ones, by size. The device runs commands in their order, so a buffer that was released may be
 * written by a later kernel at once; what the host writes comes before all commands that are not submitted yet, so for
 * that a buffer has to be free since before the last submission. Only such buffers are destroyed.
 *
 * Of those that are free the first made is taken, not the last released: a step that is like the one before it then
 * computes in the same buffers, whose bind groups are there.
 */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #onRefusal: (refusal: Refusal) => void;
  /** Questions to the device whether it had memory, which it answers later. */
  readonly #questions = new Set<Promise<void>>();
  /** The bytes of the largest buffer that a kernel can be given. */
  readonly largest: number;
  readonly #free = new Map<number, SizeClass>();
  #made = 0;
  bytesInUse = 0;
  bytesFree = 0;
  count = 0;

  /** @param onRefusal told of a buffer that was made and has no memory, before anything that was read after it */
  constructor(device: GPUDevice, onRefusal: (refusal: Refusal) => void) {
    this.#device = device;
    this.#onRefusal = onRefusal;
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    this.largest = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  }

  /**
   * A buffer with any content.
   * @param forHost whether the host writes it
   * @param name what makes the tensor that it is for
   * @param shape of that tensor
   * @throws {OutOfMemoryError} when it is larger than the device allows
   */
  acquire(bytes: number, forHost: boolean, name: string, shape: readonly number[]): DeviceBuffer {
    // what fits is not refused for being rounded up
    const wanted = Math.max(bytes, Math.min(sizeClass(bytes), this.largest));
    const buffer = this.#take(wanted, forHost);
    if (buffer) this.bytesFree -= wanted;
    this.bytesInUse += wanted;
    return buffer ?? this.#make(wanted, name, shape);
  }

  #take(bytes: number, forHost: boolean): DeviceBuffer | undefined {
    const free = this.#free.get(bytes);
    if (!free) return undefined;
    const { recent, settled } = free;
    const takesRecent = !forHost && recent.first && (!settled.first || recent.first.id < settled.first.id);
    return (takesRecent ? recent : settled).take();
  }

  #make(bytes: number, name: string, shape: readonly number[]): DeviceBuffer {
    if (bytes > this.largest) {
      this.bytesInUse -= bytes;
      throw new OutOfMemoryError(
        `out of memory: webgpu: a tensor of ${formatMebibytes(bytes)}, of which the adapter allows ${formatMebibytes(this.largest)}`,
      );
    }
    if (this.bytesFree > Math.max(KEPT_BYTES, this.bytesInUse / 2)) this.trim();
    this.count++;
    const gpu = this.create(bytes, STORAGE, `${name} [${shape}]`);
    return { gpu, size: bytes, id: ++this.#made };
  }

  /** A buffer of its own; whether the device has memory for it is known later. */
  create(bytes: number, usage: number, what: string): GPUBuffer {
    const device = this.#device;
    const inUse = this.bytesInUse;
    device.pushErrorScope('out-of-memory');
    const buffer = device.createBuffer({ size: bytes, usage });
    const question = device
      .popErrorScope()
      .then(
        (error) => {
          if (error) this.#onRefusal({ bytes, what, inUse });
        },
        // a device that is lost says so itself
        () => undefined,
      )
      .finally(() => this.#questions.delete(question));
    this.#questions.add(question);
    return buffer;
  }

  /** Resolves when the device has said of every buffer whether it had memory for it. */
  async answered(): Promise<void> {
    if (this.#questions.size > 0) await Promise.all(this.#questions);
  }

  release(buffer: DeviceBuffer): void {
    this.bytesInUse -= buffer.size;
    this.bytesFree += buffer.size;
    let free = this.#free.get(buffer.size);
    if (!free) {
      free = { recent: new FreeBuffers(), settled: new FreeBuffers() };
      this.#free.set(buffer.size, free);
    }
    free.recent.add(buffer);
  }

  /** Says that all commands were submitted. */
  submitted(): void {
    for (const { recent, settled } of this.#free.values()) {
      for (let buffer = recent.take(); buffer; buffer = recent.take()) settled.add(buffer);
    }
  }

  /** Gives back what is free; the driver keeps it until the commands that use it are done. */
  trim(): void {
    for (const { settled } of this.#free.values()) {
      for (let buffer = settled.take(); buffer; buffer = settled.take()) {
        this.bytesFree -= buffer.size;
        this.count--;
        buffer.gpu.destroy();
      }
    }
  }
}
