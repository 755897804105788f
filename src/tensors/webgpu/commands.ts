import type { BufferPool, DeviceBuffer } from './buffers.js';
import { usage } from './buffers.js';

/** Where a dispatch's parameters begin is a multiple of this. */
const SLOT = 256;
/** Slots of one batch of commands. */
const SLOTS = 512;
/** Kernels of one submission: few enough that the device starts early, enough that submitting costs little. */
const DISPATCHES = 128;

/** Parameters of a kernel, at an offset of the one buffer that holds those of a batch. */
export interface Parameters {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/**
 * The commands of a device, recorded and submitted in batches. The parameters of a batch lie in one buffer, which is
 * written once, before it is submitted.
 */
export class Commands {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  readonly #parameters: GPUBuffer;
  readonly #bytes = new ArrayBuffer(SLOT * SLOTS);
  readonly #ints = new Int32Array(this.#bytes);
  readonly #floats = new Float32Array(this.#bytes);
  /** Where the parameters of the kernel begin that is being recorded. */
  readonly #offsets = [0];
  /** Kernels that were recorded. */
  count = 0;
  #used = 0;
  #dispatches = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  /** The pipeline of the last kernel of the pass. */
  #pipeline: GPUComputePipeline | undefined;

  constructor(device: GPUDevice, pool: BufferPool) {
    this.#device = device;
    this.#pool = pool;
    this.#parameters = device.createBuffer({
      size: this.#bytes.byteLength,
      usage: usage.UNIFORM | usage.COPY_DST,
    });
  }

  /** The buffer that all parameters are in. */
  get parameters(): GPUBuffer {
    return this.#parameters;
  }

  #reserve(bytes: number): number {
    if (this.#used + bytes > this.#bytes.byteLength) this.submit();
    const offset = this.#used;
    this.#used += Math.ceil(bytes / SLOT) * SLOT;
    return offset;
  }

  /** Notes integers, then floating-point numbers, four bytes each. @returns where they are */
  note(ints: readonly number[], floats: readonly number[]): number {
    const offset = this.#reserve(SLOT);
    let at = offset >>> 2;
    for (const value of ints) this.#ints[at++] = value;
    for (const value of floats) this.#floats[at++] = value;
    return offset;
  }

  /** Notes parameters that are laid out already. */
  noteBytes(bytes: Uint8Array): Parameters {
    const offset = this.#reserve(bytes.length);
    new Uint8Array(this.#bytes).set(bytes, offset);
    return { buffer: this.#parameters, offset, size: bytes.length };
  }

  /**
   * Records a kernel.
   * @param offset where its parameters begin, in a group that takes it
   * @param x workgroups, as `y` and `z`
   */
  dispatch(
    pipeline: GPUComputePipeline,
    group: GPUBindGroup,
    offset: number | undefined,
    x: number,
    y = 1,
    z = 1,
  ): void {
    this.#pass ??= this.#encode().beginComputePass();
    if (pipeline !== this.#pipeline) this.#pass.setPipeline(pipeline);
    this.#pipeline = pipeline;
    if (offset === undefined) {
      this.#pass.setBindGroup(0, group);
    } else {
      this.#offsets[0] = offset;
      this.#pass.setBindGroup(0, group, this.#offsets);
    }
    // each argument is converted
    if (y === 1 && z === 1) this.#pass.dispatchWorkgroups(x);
    else this.#pass.dispatchWorkgroups(x, y, z);
    this.count++;
    if (++this.#dispatches >= DISPATCHES) this.submit();
  }

  /** Fills a buffer with zeros. */
  clear(buffer: DeviceBuffer): void {
    this.#endPass();
    this.#encode().clearBuffer(buffer.gpu, 0, buffer.size);
  }

  copy(from: GPUBuffer, to: GPUBuffer, bytes: number): void {
    this.#endPass();
    this.#encode().copyBufferToBuffer(from, 0, to, 0, bytes);
  }

  #encode(): GPUCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
    this.#pipeline = undefined;
  }

  /** Hands everything that was recorded to the device. */
  submit(): void {
    this.#endPass();
    const { queue } = this.#device;
    if (this.#used > 0) queue.writeBuffer(this.#parameters, 0, this.#bytes, 0, this.#used);
    if (this.#encoder) queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#used = 0;
    this.#dispatches = 0;
    this.#pool.submitted();
  }
}
