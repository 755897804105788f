import { CountedBackend } from '../counted-backend.js';
import * as tf from '../tf.js';
import type { Block } from './allocator.js';
import { WasmRuntime } from './runtime.js';

/** Where a tensor lies in the shared memory. */
interface Numbers {
  block: Block;
  /** Number of elements. */
  size: number;
}

type NumericArray = Float32Array | Int32Array | Uint8Array;

/** Bytes of one element: booleans take one, as in tfjs's `cpu` backend. */
function bytesPerElement(dtype: tf.DataType): number {
  return dtype === 'bool' ? 1 : 4;
}

/**
 * A tfjs backend whose tensors live in one shared WebAssembly memory, where threads can work on them.
 * A tensor's block is padded to a multiple of 64 bytes, and kernels may touch the padding.
 */
export class WasmBackend extends CountedBackend<Numbers> {
  readonly runtime: WasmRuntime;

  constructor(runtime = new WasmRuntime()) {
    super();
    this.runtime = runtime;
  }

  /** The byte address of a tensor's first element. */
  pointer(tensor: tf.TensorInfo): number {
    return this.numbers(tensor).block.pointer;
  }

  /** A view of a tensor's elements in the shared memory: valid until the tensor is disposed of. */
  view(tensor: tf.TensorInfo): NumericArray {
    return this.#view(this.numbers(tensor), tensor.dtype);
  }

  #view({ block: { pointer }, size }: Numbers, dtype: tf.DataType): NumericArray {
    if (dtype === 'float32') return this.runtime.float32.subarray(pointer >>> 2, (pointer >>> 2) + size);
    if (dtype === 'bool') return this.runtime.uint8.subarray(pointer, pointer + size);
    return this.runtime.int32.subarray(pointer >>> 2, (pointer >>> 2) + size);
  }

  override hostValues(tensor: tf.TensorInfo): tf.backend_util.BackendValues {
    const numeric = tensor.dtype !== 'string' && tensor.dtype !== 'complex64';
    return numeric ? (this.view(tensor) as tf.backend_util.BackendValues) : super.hostValues(tensor);
  }

  /** A new tensor; its elements are not initialised. */
  makeOutput(shape: number[], dtype: tf.DataType): tf.TensorInfo {
    return this.hold(this.upload(null, shape, dtype), shape, dtype);
  }

  protected override upload(
    values: tf.backend_util.BackendValues | null,
    shape: number[],
    dtype: tf.DataType,
  ): Numbers {
    const size = tf.util.sizeFromShape(shape);
    const numbers = { block: this.runtime.allocator.allocate(size * bytesPerElement(dtype)), size };
    if (values != null) this.#view(numbers, dtype).set(values as NumericArray);
    return numbers;
  }

  protected override download(numbers: Numbers, dtype: tf.DataType): tf.backend_util.BackendValues {
    // slice() would copy into shared memory again where the engine keeps the kind of buffer
    const view = this.#view(numbers, dtype);
    if (dtype === 'float32') return new Float32Array(view);
    return dtype === 'bool' ? new Uint8Array(view) : new Int32Array(view);
  }

  protected override free({ block }: Numbers): void {
    this.runtime.allocator.release(block);
  }

  /** `numBytesInMemory`: bytes of all blocks in use; `numBytesReserved`: the memory's length. */
  override memory(): { unreliable: boolean; numBytesInMemory: number; numBytesReserved: number } {
    const { usedBytes, reservedBytes } = this.runtime.allocator;
    return { unreliable: false, numBytesInMemory: usedBytes, numBytesReserved: reservedBytes };
  }

  override dispose(): void {
    this.runtime.dispose();
  }
}
