import { CountedBackend } from '../counted-backend.js';
import { deviceName } from '../device.js';
import type { FloatType } from '../float-type.js';
import { stridesOf } from '../strides.js';
import * as tf from '../tf.js';
import type { TorchDtype } from './dtypes.js';
import type { CapturedGraph } from './graphs.js';
import type { Handle } from './library.js';
import type { Torch } from './torch.js';

/** What torch keeps of one tensor. */
interface Numbers {
  /** A float32 of tfjs may be kept in half the bytes. */
  torchDtype: TorchDtype;
  /** Row-major, at offset 0. */
  handle: Handle;
  /** The shape that torch knows; that of a tfjs tensor on the same data may be another. */
  shape: readonly number[];
  /** What {@link TorchBackend.packed} made of it. */
  packed?: Handle;
  /** What {@link TorchBackend.kept} keeps. */
  kept?: Map<string, Handle>;
  /** The values of few integers that came from the host: reading them must not wait for a GPU. */
  host?: Int32Array;
}

/** The most elements that are copied to a GPU while the program goes on. */
const PINNED_ELEMENTS = 1 << 16;

const torchDtypeOf = (dtype: tf.DataType): TorchDtype =>
  dtype === 'int32' || dtype === 'bool' ? dtype : 'float32';

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);

/** A tfjs backend whose tensors are libtorch's. */
export class TorchBackend extends CountedBackend<Numbers> {
  readonly torch: Torch;
  /** Frees the handles of tensors that were dropped without being disposed of. */
  readonly #net: FinalizationRegistry<Handle>;
  readonly #residents = new WeakMap<Int32Array, Handle>();

  constructor(torch: Torch) {
    super();
    this.torch = torch;
    this.#net = new FinalizationRegistry((handle) => torch.free(handle));
  }

  /** A tensor's handle with the tensor's own shape; to be used inside of {@link Torch.tidy}, and not freed. */
  handle(tensor: tf.TensorInfo): Handle {
    const { handle, shape } = this.numbers(tensor);
    return sameShape(shape, tensor.shape) ? handle : this.torch.view(handle, tensor.shape);
  }

  /** A view of a tensor: its handle with other sizes, strides and offset, in elements. */
  view(tensor: tf.TensorInfo, shape: readonly number[], strides = stridesOf(shape), offset = 0): Handle {
    return this.torch.view(this.numbers(tensor).handle, shape, strides, offset);
  }

  /**
   * A weight [out, in] that does not change, in the layout that oneDNN reads fastest: made at its first use and kept
   * as long as the weight. Undefined where torch has no such layout.
   */
  packed(weight: tf.TensorInfo): Handle | undefined {
    const data = this.numbers(weight);
    if (data.packed === undefined && this.torch.canPack && data.torchDtype === 'float32') {
      data.packed = this.torch.tidy(() => this.torch.pack(this.handle(weight)));
      this.torch.claim(data.packed);
    }
    return data.packed;
  }

  /** Where tensors are, for messages. */
  get deviceName(): string {
    return deviceName(this.torch.device);
  }

  /** Lets a handle live as long as a tensor, which owns it then; what had the name before is freed. */
  keep(tensor: tf.TensorInfo, name: string, handle: Handle): void {
    const data = this.numbers(tensor);
    data.kept ??= new Map();
    const before = data.kept.get(name);
    if (before !== undefined) this.torch.free(before);
    this.torch.claim(handle);
    data.kept.set(name, handle);
  }

  /** What {@link keep} was given under a name. */
  find(tensor: tf.TensorInfo, name: string): Handle | undefined {
    return this.numbers(tensor).kept?.get(name);
  }

  /** A list of integers on the device. */
  integers(values: Int32Array): Handle {
    return this.#copyIn(values, [values.length], 'int32');
  }

  /** A list of numbers on the device. */
  floats(values: Float32Array): Handle {
    return this.#copyIn(values, [values.length], 'float32');
  }

  /** A list of integers on the device, which stays there as long as the list is alive; it must not be changed. */
  resident(values: Int32Array): Handle {
    let handle = this.#residents.get(values);
    if (handle === undefined) {
      handle = this.torch.tidy(() => this.integers(values));
      this.torch.claim(handle);
      this.#residents.set(values, handle);
      this.#net.register(values, handle);
    }
    return handle;
  }

  /** Why the device does not compute in a type. */
  refusal(type: FloatType): string | undefined {
    const { gpu } = this.torch;
    return type === 'bfloat16' && gpu && gpu.capability < 8
      ? `${gpu.name} has no arithmetic for it (compute capability ${gpu.capability.toFixed(1)}); use float16`
      : undefined;
  }

  /** The same for tensors that tfjs takes for float32. */
  floatType(tensor: tf.TensorInfo): FloatType {
    return tensor.dtype === 'float32' ? (this.numbers(tensor).torchDtype as FloatType) : 'float32';
  }

  /** What a kernel makes of a tensor once and may need again: made at its first use, freed with the tensor. */
  kept(tensor: tf.TensorInfo, name: string, make: () => Handle): Handle {
    let handle = this.find(tensor, name);
    if (handle === undefined) {
      handle = this.torch.tidy(make);
      this.keep(tensor, name, handle);
    }
    return handle;
  }

  /** The type in which torch keeps a tensor's elements. */
  torchDtype(tensor: tf.TensorInfo): TorchDtype {
    return this.numbers(tensor).torchDtype;
  }

  /** A tensor of tfjs from a row-major handle, which it then owns. */
  adopt(handle: Handle, shape: number[], dtype: tf.DataType): tf.TensorInfo {
    const torchDtype = dtype === 'float32' ? this.torch.dtypeOf(handle) : torchDtypeOf(dtype);
    return this.hold(this.#claim({ torchDtype, handle, shape }), shape, dtype);
  }

  /** Runs operations and makes a tensor of the one handle that they return. */
  run(shape: number[], dtype: tf.DataType, f: () => Handle): tf.TensorInfo {
    return this.adopt(this.torch.tidy(f), shape, dtype);
  }

  #claim(numbers: Numbers): Numbers {
    this.torch.claim(numbers.handle);
    this.#net.register(numbers, numbers.handle, numbers);
    return numbers;
  }

  /** Puts values on the device. */
  #copyIn(values: tf.backend_util.BackendValues | null, shape: number[], dtype: TorchDtype): Handle {
    const { torch } = this;
    if (values === null) return torch.empty(shape, dtype);
    const size = tf.util.sizeFromShape(shape);
    const onHost = torch.device.type === 'cpu';
    // one number is an argument of a kernel: no memory to look at, and nothing waits for it on a GPU
    if (size === 1) return torch.full(shape, Number((values as Float32Array)[0]), dtype);
    const pinned = !onHost && size <= PINNED_ELEMENTS ? torch.emptyPinned(shape, dtype) : null;
    const host = pinned ?? torch.empty(shape, dtype, { type: 'cpu', index: -1 });
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
    if (onHost) return host;
    const device = torch.empty(shape, dtype);
    torch.copy(device, host, { wait: pinned === null });
    return device;
  }

  /** Says what a person should know, once the process has time for it. */
  warn(text: string): void {
    process.emitWarning(text);
  }

  /** Captures what makes a tensor from others, see {@link Graphs.capture}; undefined where there are no graphs. */
  capture(f: () => tf.Tensor): CapturedGraph<tf.Tensor> | undefined {
    return this.torch.graphs?.capture(
      // its own tidy: what f makes is disposed of, and held by the graph
      () => tf.engine().tidy(() => tf.keep(f())),
      (tensor) => tensor.dispose(),
    );
  }

  /** Puts other values into a tensor of integers, in place: what was made of it before knows nothing of them. */
  assignIntegers(tensor: tf.TensorInfo, values: Int32Array): void {
    const numbers = this.numbers(tensor);
    delete numbers.host;
    this.torch.tidy(() => {
      this.torch.copy(numbers.handle, this.torch.view(this.integers(values), numbers.shape));
      return undefined;
    });
  }

  /** The first rows of a matrix, on the same memory. */
  firstRows(matrix: tf.Tensor2D, rows: number): tf.Tensor2D {
    const shape = [rows, matrix.shape[1]];
    const info = this.run(shape, 'float32', () => this.view(matrix, shape));
    return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor2D;
  }

  protected override upload(
    values: tf.backend_util.BackendValues | null,
    shape: number[],
    dtype: tf.DataType,
  ): Numbers {
    const torchDtype = torchDtypeOf(dtype);
    const handle = this.torch.tidy(() => this.#copyIn(values, shape, torchDtype));
    const keep = dtype === 'int32' && this.torch.device.type !== 'cpu' && values;
    const host = keep && values.length <= PINNED_ELEMENTS ? Int32Array.from(values as Int32Array) : undefined;
    return this.#claim({ torchDtype, shape, handle, ...(host ? { host } : {}) });
  }

  protected override download(
    { handle, shape, torchDtype, host: known }: Numbers,
    dtype: tf.DataType,
  ): tf.backend_util.BackendValues {
    if (known) return known.slice();
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

  protected override free(numbers: Numbers): void {
    this.#net.unregister(numbers);
    this.torch.free(numbers.handle);
    if (numbers.packed !== undefined) this.torch.free(numbers.packed);
    for (const handle of numbers.kept?.values() ?? []) this.torch.free(handle);
  }

  override memory(): { unreliable: boolean; liveHandles: number } {
    return { unreliable: true, liveHandles: this.torch.liveHandles };
  }
}
