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

const size = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/**
 * Buffers in use and free ones, by size. The device runs commands in their order, so a buffer that was released may be
 * written by a later kernel at once; what the host writes comes before all commands that are not submitted yet, so for
 * that a buffer has to be free since before the last submission. Only such buffers are destroyed.
 */
export class BufferPool {
  readonly #device: GPUDevice;
  /** The bytes of the largest buffer that a kernel can be given. */
  readonly largest: number;
  /** Released since the last submission, and before it. */
  readonly #recent = new Map<number, DeviceBuffer[]>();
  readonly #settled = new Map<number, DeviceBuffer[]>();
  #made = 0;
  bytesInUse = 0;
  bytesFree = 0;
  count = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    this.largest = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  }

  /**
   * A buffer with any content.
   * @param forHost whether the host writes it
   * @throws {OutOfMemoryError} when it is larger than the device allows
   */
  acquire(bytes: number, forHost = false): DeviceBuffer {
    // what fits is not refused for being rounded up
    const wanted = Math.max(bytes, Math.min(sizeClass(bytes), this.largest));
    const buffer =
      (forHost ? undefined : this.#recent.get(wanted)?.pop()) ?? this.#settled.get(wanted)?.pop();
    if (buffer) this.bytesFree -= wanted;
    this.bytesInUse += buffer?.size ?? wanted;
    return buffer ?? this.#make(wanted);
  }

  #make(bytes: number): DeviceBuffer {
    if (bytes > this.largest) {
      this.bytesInUse -= bytes;
      throw new OutOfMemoryError(
        `out of memory: webgpu: a tensor of ${size(bytes)}, of which the adapter allows ${size(this.largest)}`,
      );
    }
    if (this.bytesFree > Math.max(KEPT_BYTES, this.bytesInUse / 2)) this.trim();
    this.count++;
    return { gpu: this.#device.createBuffer({ size: bytes, usage: STORAGE }), size: bytes, id: ++this.#made };
  }

  release(buffer: DeviceBuffer): void {
    this.bytesInUse -= buffer.size;
    this.bytesFree += buffer.size;
    push(this.#recent, buffer);
  }

  /** Says that all commands were submitted. */
  submitted(): void {
    for (const [wanted, buffers] of this.#recent) {
      if (buffers.length === 0) continue;
      const settled = this.#settled.get(wanted);
      if (settled) settled.push(...buffers);
      else this.#settled.set(wanted, [...buffers]);
      buffers.length = 0;
    }
  }

  /** Gives back what is free; the driver keeps it until the commands that use it are done. */
  trim(): void {
    for (const buffers of this.#settled.values()) {
      for (const buffer of buffers) {
        this.bytesFree -= buffer.size;
        this.count--;
        buffer.gpu.destroy();
      }
    }
    this.#settled.clear();
  }
}

function push(map: Map<number, DeviceBuffer[]>, buffer: DeviceBuffer): void {
  const list = map.get(buffer.size);
  if (list) list.push(buffer);
  else map.set(buffer.size, [buffer]);
}
