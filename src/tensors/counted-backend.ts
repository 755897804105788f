import { AttachedMap } from './attached-map.js';
import type { FallbackBackend } from './fallback.js';
import * as tf from './tf.js';

/** What is kept of one tensor: numbers in the backend's own form, or strings, or the parts of a complex tensor. */
interface Data<Numbers> {
  dtype: tf.DataType;
  refCount: number;
  numbers?: Numbers;
  strings?: Uint8Array[];
  complex?: { real: tf.TensorInfo; imag: tf.TensorInfo };
}

/**
 * What our backends have in common: tensors that share data are counted, strings stay on the host, a complex tensor
 * is a pair of real ones. A backend adds where its numbers are.
 */
export abstract class CountedBackend<Numbers extends object>
  extends tf.KernelBackend
  implements FallbackBackend
{
  readonly #data = new AttachedMap<Data<Numbers>>();

  /** Puts values where the backend keeps them; null: a place for as many, not initialised. */
  protected abstract upload(
    values: tf.backend_util.BackendValues | null,
    shape: number[],
    dtype: tf.DataType,
  ): Numbers;
  /** A copy of the values on the host. */
  protected abstract download(numbers: Numbers, dtype: tf.DataType): tf.backend_util.BackendValues;
  protected abstract free(numbers: Numbers): void;

  /** What is known of a tensor; data that lies in another backend is fetched. */
  #dataOf(id: tf.DataId): Data<Numbers> {
    if (!this.#data.has(id)) tf.engine().moveData(this, id);
    return this.#data.get(id) as Data<Numbers>;
  }

  /** The numbers of a tensor. @throws when it has none, being one of strings or complex */
  protected numbers(tensor: tf.TensorInfo): Numbers {
    const { numbers } = this.#dataOf(tensor.dataId);
    if (numbers) return numbers;
    throw new Error(`${tf.getBackend()} backend: no operation takes a tensor of ${tensor.dtype}`);
  }

  #make(shape: number[], dtype: tf.DataType, data: Omit<Data<Numbers>, 'dtype' | 'refCount'>): tf.TensorInfo {
    const dataId = {};
    this.#data.set(dataId, { dtype, refCount: 1, ...data });
    return { dataId, shape, dtype };
  }

  /** A new tensor of numbers that are already there, which it then owns. */
  protected hold(numbers: Numbers, shape: number[], dtype: tf.DataType): tf.TensorInfo {
    return this.#make(shape, dtype, { numbers });
  }

  /** A new tensor with these values. */
  makeTensorInfo(shape: number[], dtype: tf.DataType, values: tf.backend_util.BackendValues): tf.TensorInfo {
    return { dataId: this.write(values, shape, dtype), shape, dtype };
  }

  /** A complex tensor from its parts, which it then owns. */
  makeComplex(shape: number[], real: tf.TensorInfo, imag: tf.TensorInfo): tf.TensorInfo {
    return this.#make(shape, 'complex64', { complex: { real, imag } });
  }

  /** The same data under another shape. */
  share({ dataId, dtype }: tf.TensorInfo, shape: number[]): tf.TensorInfo {
    this.incRef(dataId);
    return { dataId, shape, dtype };
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
    const data: Data<Numbers> = { dtype, refCount };
    if (dtype === 'string') {
      data.strings = values as unknown as Uint8Array[];
    } else if (dtype === 'complex64') {
      const { real, imag } = tf.backend_util.splitRealAndImagArrays(values as Float32Array);
      data.complex = {
        real: this.makeTensorInfo(shape, 'float32', real),
        imag: this.makeTensorInfo(shape, 'float32', imag),
      };
    } else {
      data.numbers = this.upload(values, shape, dtype);
    }
    this.#data.set(dataId, data);
  }

  /** The elements on the host; a backend may give a view that is valid until the tensor is disposed of. */
  hostValues(tensor: tf.TensorInfo): tf.backend_util.BackendValues {
    return this.readSync(tensor.dataId);
  }

  /** The parts of a complex tensor. */
  complexParts(tensor: tf.TensorInfo): { real: tf.TensorInfo; imag: tf.TensorInfo } | undefined {
    return this.#dataOf(tensor.dataId).complex;
  }

  override readSync(dataId: tf.DataId): tf.backend_util.BackendValues {
    const { strings, complex, numbers, dtype } = this.#dataOf(dataId);
    if (strings) return strings as unknown as tf.backend_util.BackendValues;
    if (complex) {
      const [real, imag] = [complex.real, complex.imag].map((part) => this.readSync(part.dataId));
      return tf.backend_util.mergeRealAndImagArrays(real as Float32Array, imag as Float32Array);
    }
    return this.download(numbers as Numbers, dtype);
  }

  override async read(dataId: tf.DataId): Promise<tf.backend_util.BackendValues> {
    return this.readSync(dataId);
  }

  override refCount(dataId: tf.DataId): number {
    return this.#data.has(dataId) ? this.#dataOf(dataId).refCount : 0;
  }

  override incRef(dataId: tf.DataId): void {
    this.#dataOf(dataId).refCount++;
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    if (!this.#data.has(dataId)) return true;
    const data = this.#dataOf(dataId);
    data.refCount--;
    if (!force && data.refCount > 0) return false;
    if (data.numbers) this.free(data.numbers);
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
    return this.#data.size;
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
