import { stridesOf } from '../strides.js';
import * as tf from '../tf.js';
import type { Handle } from './library.js';
import type { Torch, TorchDtype } from './torch.js';

/** What the backend knows of one tensor's data. */
interface TensorData {
  /** As tfjs sees it; a float32 may be kept in half the bytes, see `torchDtype`. */
  dtype: tf.DataType;
  torchDtype: TorchDtype;
  /** Row-major, at offset 0; 0 for strings and complex numbers. */
  handle: Handle;
  /** The shape that torch knows; that of a tfjs tensor on the same data may be another. */
  shape: readonly number[];
  refCount: number;
  /** What {@link TorchBackend.packed} made of it. */
  packed?: Handle;
  strings?: Uint8Array[];
  complex?: { real: tf.TensorInfo; imag: tf.TensorInfo };
}

const torchDtypeOf = (dtype: tf.DataType): TorchDtype =>
  dtype === 'int32' || dtype === 'bool' ? dtype : 'float32';

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);

/** A tfjs backend whose tensors are libtorch's. */
export class TorchBackend extends tf.KernelBackend {
  readonly torch: Torch;
  readonly #data: tf.DataStorage<TensorData>;
  /** Frees the handles of tensors that were dropped without being disposed of. */
  readonly #net: FinalizationRegistry<Handle>;

  constructor(torch: Torch) {
    super();
    this.torch = torch;
    this.#data = new tf.DataStorage<TensorData>(this, tf.engine());
    this.#net = new FinalizationRegistry((handle) => torch.free(handle));
  }

  /** A tensor's handle with the tensor's own shape; to be used inside of {@link Torch.tidy}, and not freed. */
  handle(tensor: tf.TensorInfo): Handle {
    const { handle, shape } = this.#numeric(tensor);
    return sameShape(shape, tensor.shape) ? handle : this.torch.view(handle, tensor.shape);
  }

  /** A view of a tensor: its handle with other sizes, strides and offset, in elements. */
  view(tensor: tf.TensorInfo, shape: readonly number[], strides = stridesOf(shape), offset = 0): Handle {
    return this.torch.view(this.#numeric(tensor).handle, shape, strides, offset);
  }

  /**
   * A weight [out, in] that does not change, in the layout that oneDNN reads fastest: made at its first use and kept
   * as long as the weight. Undefined where torch has no such layout.
   */
  packed(weight: tf.TensorInfo): Handle | undefined {
    const data = this.#numeric(weight);
    if (data.packed === undefined && this.torch.canPack && data.torchDtype === 'float32') {
      data.packed = this.torch.tidy(() => this.torch.pack(this.handle(weight)));
      this.torch.claim(data.packed);
    }
    return data.packed;
  }

  /** A null handle would end the process, not the call. */
  #numeric(tensor: tf.TensorInfo): TensorData {
    const data = this.#data.get(tensor.dataId);
    if (data.handle === 0) throw new Error(`torch backend: no operation takes a tensor of ${tensor.dtype}`);
    return data;
  }

  /** The type in which torch keeps a tensor's elements. */
  torchDtype(tensor: tf.TensorInfo): TorchDtype {
    return this.#data.get(tensor.dataId).torchDtype;
  }

  /** A tensor of tfjs from a row-major handle, which it then owns. */
  adopt(handle: Handle, shape: number[], dtype: tf.DataType): tf.TensorInfo {
    const rank = this.torch.rankOf(handle);
    if (rank !== shape.length) throw new Error(`torch backend: a kernel made ${rank} axes for [${shape}]`);
    const dataId = {};
    const torchDtype = dtype === 'float32' ? this.torch.dtypeOf(handle) : torchDtypeOf(dtype);
    this.#store(dataId, { dtype, torchDtype, handle, shape, refCount: 1 });
    return { dataId, shape, dtype };
  }

  /** Runs operations and makes a tensor of the one handle that they return. */
  run(shape: number[], dtype: tf.DataType, f: () => Handle): tf.TensorInfo {
    return this.adopt(this.torch.tidy(f), shape, dtype);
  }

  /** The same data under another shape. */
  share(tensor: tf.TensorInfo, shape: number[]): tf.TensorInfo {
    this.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape, dtype: tensor.dtype };
  }

  #store(dataId: tf.DataId, data: TensorData): void {
    this.#data.set(dataId, data);
    if (data.handle === 0) return;
    this.torch.claim(data.handle);
    this.#net.register(dataId, data.handle, dataId);
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
    const base = { dtype, torchDtype: torchDtypeOf(dtype), shape, refCount, handle: 0 };
    if (dtype === 'string') {
      this.#store(dataId, { ...base, strings: values as unknown as Uint8Array[] });
    } else if (dtype === 'complex64') {
      const parts = tf.backend_util.splitRealAndImagArrays(values as Float32Array);
      const [real, imag] = [parts.real, parts.imag].map((part) =>
        this.makeTensorInfo(shape, 'float32', part),
      );
      this.#store(dataId, { ...base, complex: { real: real!, imag: imag! } });
    } else {
      const handle = this.torch.tidy(() => this.#upload(values, shape, base.torchDtype));
      this.#store(dataId, { ...base, handle });
    }
  }

  /** Puts values on the device. */
  #upload(values: tf.backend_util.BackendValues | null, shape: number[], dtype: TorchDtype): Handle {
    const { torch } = this;
    if (values === null) return torch.empty(shape, dtype);
    const size = tf.util.sizeFromShape(shape);
    const host = torch.empty(shape, dtype, { type: 'cpu', index: -1 });
    if (size > 0) {
      const bytes = torch.hostBytes(host, size, dtype);
      const target =
        dtype === 'float32'
          ? new Float32Array(bytes)
          : dtype === 'int32'
            ? new Int32Array(bytes)
            : new Uint8Array(bytes);
      target.set(values as Float32Array);
    }
    if (torch.device.type === 'cpu') return host;
    const device = torch.empty(shape, dtype);
    torch.copy(device, host);
    return device;
  }

  /** A new tensor with these values. */
  makeTensorInfo(shape: number[], dtype: tf.DataType, values: tf.backend_util.BackendValues): tf.TensorInfo {
    return { dataId: this.write(values, shape, dtype), shape, dtype };
  }

  /** A complex tensor from its parts, which it then owns. */
  makeComplex(shape: number[], real: tf.TensorInfo, imag: tf.TensorInfo): tf.TensorInfo {
    const dataId = {};
    const data = { dtype: 'complex64', torchDtype: 'float32', handle: 0, shape, refCount: 1 } as const;
    this.#store(dataId, { ...data, complex: { real, imag } });
    return { dataId, shape, dtype: 'complex64' };
  }

  /** The elements on the host. */
  hostValues(tensor: tf.TensorInfo): tf.backend_util.BackendValues {
    return this.readSync(tensor.dataId);
  }

  /** The parts of a complex tensor. */
  complexParts(tensor: tf.TensorInfo): { real: tf.TensorInfo; imag: tf.TensorInfo } | undefined {
    return this.#data.get(tensor.dataId).complex;
  }

  override readSync(dataId: tf.DataId): tf.backend_util.BackendValues {
    const { strings, complex, handle, shape, torchDtype, dtype } = this.#data.get(dataId);
    if (strings) return strings as unknown as tf.backend_util.BackendValues;
    if (complex) {
      const [real, imag] = [complex.real, complex.imag].map(({ dataId: part }) => this.readSync(part));
      return tf.backend_util.mergeRealAndImagArrays(real as Float32Array, imag as Float32Array);
    }
    const size = tf.util.sizeFromShape(shape as number[]);
    const hostDtype = torchDtypeOf(dtype);
    let bytes = new ArrayBuffer(0);
    this.torch.tidy(() => {
      let host = handle;
      if (this.torch.device.type !== 'cpu' || torchDtype !== hostDtype) {
        host = this.torch.empty(shape, hostDtype, { type: 'cpu', index: -1 });
        this.torch.copy(host, handle);
      }
      if (size > 0) bytes = this.torch.hostBytes(host, size, hostDtype).slice(0);
      return undefined;
    });
    if (dtype === 'float32') return new Float32Array(bytes);
    return dtype === 'bool' ? new Uint8Array(bytes) : new Int32Array(bytes);
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
    if (data.handle !== 0) {
      this.#net.unregister(dataId);
      this.torch.free(data.handle);
      if (data.packed !== undefined) this.torch.free(data.packed);
    }
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

  override memory(): { unreliable: boolean; liveHandles: number } {
    return { unreliable: true, liveHandles: this.torch.liveHandles };
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

  override dispose(): void {}
}
