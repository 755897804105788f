import * as tf from '../tf.js';
import type { Block } from './allocator.js';
import { WasmRuntime } from './runtime.js';

/** What the backend knows of one tensor's data. */
export interface TensorData {
  dtype: tf.DataType;
  /** Number of elements. */
  size: number;
  refCount: number;
  /** Where it lies in the shared memory; null for strings and complex numbers. */
  block: Block | null;
  strings?: Uint8Array[];
  complex?: { real: tf.TensorInfo; imag: tf.TensorInfo };
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
export class WasmBackend extends tf.KernelBackend {
  readonly runtime: WasmRuntime;
  readonly #data: tf.DataStorage<TensorData>;

  constructor(runtime = new WasmRuntime()) {
    super();
    this.runtime = runtime;
    this.#data = new tf.DataStorage<TensorData>(this, tf.engine());
  }

  /** The data behind an id; moves it here when another backend holds it. */
  data(dataId: tf.DataId): TensorData {
    return this.#data.get(dataId);
  }

  /** The byte address of a tensor's first element. */
  pointer(tensor: tf.TensorInfo): number {
    return (this.#data.get(tensor.dataId).block as Block).pointer;
  }

  /** A view of a tensor's elements in the shared memory: valid until the tensor is disposed of. */
  view(tensor: tf.TensorInfo): NumericArray {
    return this.#view(this.#data.get(tensor.dataId));
  }

  #view({ block, dtype, size }: TensorData): NumericArray {
    const { pointer } = block as Block;
    if (dtype === 'float32') return this.runtime.float32.subarray(pointer >>> 2, (pointer >>> 2) + size);
    if (dtype === 'bool') return this.runtime.uint8.subarray(pointer, pointer + size);
    return this.runtime.int32.subarray(pointer >>> 2, (pointer >>> 2) + size);
  }

  /** The elements, strings included: valid until the tensor is disposed of. */
  hostValues(tensor: tf.TensorInfo): tf.backend_util.BackendValues {
    return (this.data(tensor.dataId).strings ?? this.view(tensor)) as tf.backend_util.BackendValues;
  }

  /** The parts of a complex tensor. */
  complexParts(tensor: tf.TensorInfo): { real: tf.TensorInfo; imag: tf.TensorInfo } | undefined {
    return this.data(tensor.dataId).complex;
  }

  /** A new tensor; its elements are not initialised. */
  makeOutput(shape: number[], dtype: tf.DataType): tf.TensorInfo {
    const size = tf.util.sizeFromShape(shape);
    const dataId = {};
    const block = this.runtime.allocator.allocate(size * bytesPerElement(dtype));
    this.#data.set(dataId, { dtype, size, refCount: 1, block });
    return { dataId, shape, dtype };
  }

  /** The same data under another shape. */
  share(tensor: tf.TensorInfo, shape: number[], dtype: tf.DataType = tensor.dtype): tf.TensorInfo {
    this.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape, dtype };
  }

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: tf.DataId,
    values: tf.backend_util.BackendValues | null,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    const size = tf.util.sizeFromShape(shape);
    if (dtype === 'string') {
      const strings = values as unknown as Uint8Array[];
      this.#data.set(dataId, { dtype, size, refCount, block: null, strings });
      return;
    }
    if (dtype === 'complex64') {
      const pairs = values as Float32Array;
      const real = this.makeTensorInfo(shape, 'float32', tf.backend_util.splitRealAndImagArrays(pairs).real);
      const imag = this.makeTensorInfo(shape, 'float32', tf.backend_util.splitRealAndImagArrays(pairs).imag);
      this.#data.set(dataId, { dtype, size, refCount, block: null, complex: { real, imag } });
      return;
    }
    const block = this.runtime.allocator.allocate(size * bytesPerElement(dtype));
    const data: TensorData = { dtype, size, refCount, block };
    this.#data.set(dataId, data);
    if (values != null) this.#view(data).set(values as NumericArray);
  }

  /** A new tensor with these values. */
  makeTensorInfo(shape: number[], dtype: tf.DataType, values: tf.backend_util.BackendValues): tf.TensorInfo {
    return { dataId: this.write(values, shape, dtype), shape, dtype };
  }

  /** A complex tensor from its parts, which it then owns. */
  makeComplex(shape: number[], real: tf.TensorInfo, imag: tf.TensorInfo): tf.TensorInfo {
    const dataId = {};
    const size = tf.util.sizeFromShape(shape);
    this.#data.set(dataId, { dtype: 'complex64', size, refCount: 1, block: null, complex: { real, imag } });
    return { dataId, shape, dtype: 'complex64' };
  }

  override readSync(dataId: tf.DataId): tf.backend_util.BackendValues {
    const data = this.#data.get(dataId);
    if (data.strings) return data.strings as unknown as tf.backend_util.BackendValues;
    if (data.complex) {
      const real = this.readSync(data.complex.real.dataId) as Float32Array;
      const imag = this.readSync(data.complex.imag.dataId) as Float32Array;
      return tf.backend_util.mergeRealAndImagArrays(real, imag);
    }
    // slice() would copy into shared memory again where the engine keeps the kind of buffer
    const view = this.#view(data);
    if (data.dtype === 'float32') return new Float32Array(view);
    return data.dtype === 'bool' ? new Uint8Array(view) : new Int32Array(view);
  }

  override async read(dataId: tf.DataId): Promise<tf.backend_util.BackendValues> {
    return this.readSync(dataId);
  }

  override refCount(dataId: tf.DataId): number {
    return this.#data.has(dataId) ? this.#data.get(dataId).refCount : 0;
  }

  override incRef(dataId: tf.DataId): void {
    this.#data.get(dataId).refCount++;
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    if (!this.#data.has(dataId)) return true;
    const data = this.#data.get(dataId);
    data.refCount--;
    if (!force && data.refCount > 0) return false;
    if (data.block !== null) this.runtime.allocator.release(data.block);
    if (data.complex) {
      this.disposeData(data.complex.real.dataId, true);
      this.disposeData(data.complex.imag.dataId, true);
    }
    this.#data.delete(dataId);
    return true;
  }

  /** Frees a tensor that a kernel made for itself. */
  disposeIntermediateTensorInfo(tensor: tf.TensorInfo): void {
    this.disposeData(tensor.dataId);
  }

  override numDataIds(): number {
    return this.#data.numDataIds();
  }

  /** `numBytesInMemory`: bytes of all blocks in use; `numBytesReserved`: the memory's length. */
  override memory(): { unreliable: boolean; numBytesInMemory: number; numBytesReserved: number } {
    const { usedBytes, reservedBytes } = this.runtime.allocator;
    return { unreliable: false, numBytesInMemory: usedBytes, numBytesReserved: reservedBytes };
  }

  override async time(f: () => void): Promise<{ kernelMs: number }> {
    const start = performance.now();
    f();
    return { kernelMs: performance.now() - start };
  }

  override timerAvailable(): boolean {
    return true;
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override dispose(): void {
    this.runtime.dispose();
  }
}
