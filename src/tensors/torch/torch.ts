import type { Device } from '../device.js';
import { stridesOf } from '../strides.js';
import { ArgumentWriter, type TorchArgument } from './arguments.js';
import { bindDirectCalls, type DirectCall } from './direct-call.js';
import { bytesOfDtype, dtypeNumbers, type TorchDtype } from './dtypes.js';
import { TorchError, UnknownOperationError } from './errors.js';
import type { CFunction } from './functions.js';
import { freeGpuMemory, type Gpu } from './gpus.js';
import { cudaGraphDriver, type GraphDriver } from './graph-driver.js';
import { Graphs } from './graphs.js';
import { TorchHandles } from './handles.js';
import { resolveSchemas } from './installed.js';
import { type Handle, RESULT_SLOT, type TorchLibrary } from './library.js';
import type { OperationName, Schema } from './schemas.js';

/** The operations of libtorch, on tensors by their handles. */
export class Torch extends TorchHandles {
  readonly device: Device;
  /** What is known of the device when it is a GPU. */
  readonly gpu: Gpu | undefined;
  readonly version: string;
  /** The numbers by which libtorch knows element types. */
  readonly dtypes: Readonly<Record<TorchDtype, number>>;
  readonly #dtypeNames: ReadonlyMap<number, TorchDtype>;
  readonly #schemas: ReadonlyMap<OperationName, Schema | null>;
  #callCount = 0;
  #graphs: Graphs | null | undefined;

  #guard: CFunction | undefined;
  #stream: CFunction | undefined;
  #isGuarded = false;
  readonly #arguments: ArgumentWriter;
  readonly #direct: ReadonlyMap<OperationName, DirectCall | undefined>;
  readonly #deviceTypes: Record<'cpu' | 'cuda', number>;

  constructor(
    library: TorchLibrary,
    {
      device,
      gpu,
      version,
      schemas,
    }: { device: Device; gpu?: Gpu; version: string; schemas?: Map<string, string> },
  ) {
    super(library, device);
    this.device = device;
    this.gpu = gpu;
    this.version = version;
    library.version = version;
    library.memoryIsLow = gpu && (() => (freeGpuMemory() ?? gpu.memory) < gpu.memory / 20);
    const resolved = resolveSchemas(schemas);
    this.#schemas = resolved;
    this.dtypes = dtypeNumbers(library);
    this.#dtypeNames = new Map(
      Object.entries(this.dtypes).map(([name, value]) => [value, name as TorchDtype]),
    );
    this.#deviceTypes = {
      cpu: library.value('int32_t aoti_torch_device_type_cpu()')(),
      cuda: library.value('int32_t aoti_torch_device_type_cuda()')(),
    };
    this.#arguments = new ArgumentWriter(library, this.functions);
    this.#direct = bindDirectCalls(library, device);
    for (const [name, call] of this.#direct) if (!call) resolved.set(name, null);
  }

  /** Operations that were called so far. */
  get callCount(): number {
    return this.#callCount;
  }

  /** Graphs of operations; undefined where there are none, or `ARCLAB_CUDA_GRAPHS=0` switches them off. */
  get graphs(): Graphs | undefined {
    if (process.env.ARCLAB_CUDA_GRAPHS === '0') return undefined;
    if (this.#graphs === undefined) {
      const driver = this.graphDriver();
      this.#graphs = driver ? new Graphs(this, driver) : null;
    }
    return this.#graphs ?? undefined;
  }

  protected graphDriver(): GraphDriver | undefined {
    return this.usesCudaKernels ? cudaGraphDriver(this) : undefined;
  }

  /** The number by which libtorch knows the type of a device. */
  #deviceType({ type }: Device): number {
    return this.#deviceTypes[type === 'cuda' ? 'cuda' : 'cpu'];
  }

  /** A tensor whose elements are not initialised. */
  empty(shape: readonly number[], dtype: TorchDtype, device = this.device): Handle {
    const { library } = this;
    const sizes = library.sizes(shape);
    const strides = library.sizes(stridesOf(shape), shape.length);
    const type = this.#deviceType(device);
    const result = library.slot(RESULT_SLOT);
    this.functions.empty(shape.length, sizes, strides, this.dtypes[dtype], type, device.index, result);
    return this.take();
  }

  /**
   * A tensor on the host that a GPU reads by itself, while this thread goes on; null where torch has none. It may be
   * freed at once: torch waits with using its memory again.
   */
  emptyPinned(shape: readonly number[], dtype: TorchDtype): Handle | null {
    this.assertNoCapture('memory of the host');
    const { library } = this;
    const { emptyPinned } = this.functions;
    if (!emptyPinned) return null;
    const sizes = library.sizes(shape);
    const strides = library.sizes(stridesOf(shape), shape.length);
    const result = library.slot(RESULT_SLOT);
    emptyPinned(shape.length, sizes, strides, this.dtypes[dtype], this.#deviceTypes.cpu, -1, result);
    return this.take();
  }

  /** The same elements under another shape; `strides` and `offset` (in elements) make any view. */
  view(handle: Handle, shape: readonly number[], strides = stridesOf(shape), offset = 0): Handle {
    const { library } = this;
    const sizes = library.sizes(shape);
    const steps = library.sizes(strides, shape.length);
    this.functions.reinterpret(handle, shape.length, sizes, steps, offset, library.slot(RESULT_SLOT));
    return this.take();
  }

  /** A copy in row-major order. */
  contiguous(handle: Handle, shape: readonly number[], dtype: TorchDtype): Handle {
    const out = this.empty(shape, dtype);
    this.copy(out, handle);
    return out;
  }

  /** Copies elements, converting their type and moving them between devices. */
  copy(to: Handle, from: Handle, { wait = true } = {}): void {
    this.functions.copy(this.lasting(to), this.lasting(from), wait ? 0 : 1);
  }

  /** a + alpha · b of int32, broadcast: the function takes alpha as a float, which torch refuses for integers. */
  addIntegers(a: Handle, b: Handle, alpha = 1): Handle {
    // float64 holds every int32
    return this.tidy(() =>
      this.cast(this.add(this.cast(a, 'float64'), this.cast(b, 'float64'), alpha), 'int32'),
    );
  }

  /** a + alpha · b of floats, broadcast, in a's type. */
  add(a: Handle, b: Handle, alpha = 1): Handle {
    this.functions.addTensors(this.lasting(a), this.lasting(b), alpha, this.library.slot(RESULT_SLOT));
    return this.take();
  }

  /** sum += x · weight, in place: sum [n, out], x [n, in], weight [in, out]. */
  addProduct(sum: Handle, x: Handle, weight: Handle): void {
    const total = this.lasting(sum);
    this.functions.addProduct(total, total, this.lasting(x), this.lasting(weight), 1, 1);
  }

  /** Whether tensors lie on a GPU, and operations that only it has can be called. */
  get usesCudaKernels(): boolean {
    return this.device.type === 'cuda';
  }

  /** Whether {@link pack} and {@link linearPacked} are there. */
  get canPack(): boolean {
    return this.functions.linearPointwise !== null;
  }

  /** A float32 weight [out, in] in the layout in which oneDNN reads it fastest. */
  pack(weight: Handle): Handle {
    // the hint is the number of rows; what it chooses for few is the fastest for many too
    return this.call('mkldnn::_reorder_linear_weight', weight, 8);
  }

  /** x · weightᵀ + bias with a packed weight: [n, in] → [n, out]. */
  linearPacked(x: Handle, packed: Handle, bias: Handle | null): Handle {
    const { library } = this;
    if (bias !== null) library.setInt(RESULT_SLOT + 1, bias);
    const biasAddress = bias === null ? 0 : library.slot(RESULT_SLOT + 1);
    library.setInt(RESULT_SLOT + 2, library.text(''));
    this.functions.linearPointwise?.(
      x,
      packed,
      biasAddress,
      library.text('none'),
      0,
      0,
      library.slot(RESULT_SLOT + 2),
      library.slot(RESULT_SLOT),
    );
    return this.take();
  }

  /** A tensor of one value. */
  full(shape: readonly number[], value: number, dtype: TorchDtype): Handle {
    const { library, device } = this;
    library.setInt(RESULT_SLOT + 1, this.dtypes[dtype]);
    library.setInt(RESULT_SLOT + 2, this.#deviceType(device));
    this.functions.full(
      library.sizes(shape),
      shape.length,
      value,
      library.slot(RESULT_SLOT + 1),
      0,
      library.slot(RESULT_SLOT + 2),
      device.index,
      0,
      library.slot(RESULT_SLOT),
    );
    return this.take();
  }

  /** The same in row-major order: copied only when it lies otherwise. */
  rowMajor(handle: Handle): Handle {
    const shape = this.shapeOf(handle);
    const strides = this.stridesOf(handle);
    const steps = stridesOf(shape);
    const asIs = shape.every((size, axis) => size === 1 || strides[axis] === steps[axis]);
    return asIs ? handle : this.contiguous(handle, shape, this.dtypeOf(handle));
  }

  /** The elements of a tensor on the CPU, in place. */
  hostBytes(handle: Handle, elements: number, dtype: TorchDtype): ArrayBuffer {
    this.assertNoCapture('memory of the host');
    return this.library.bytes(this.dataPointer(handle), elements * bytesOfDtype[dtype]);
  }

  /** The address of a tensor's first element, on its device. */
  dataPointer(handle: Handle): number {
    this.functions.dataPointer(handle, this.library.slot(RESULT_SLOT));
    return this.library.getInt(RESULT_SLOT);
  }

  /** The CUDA stream that operations run on: 0 is the default one. Makes this process's GPU the current one. */
  cudaStream(): number {
    const { library, device } = this;
    // never deleted: the device stays the current one of this thread
    this.#guard ??= library.checked('int32_t aoti_torch_create_cuda_guard(int32_t, uintptr_t)');
    if (!this.#isGuarded) this.#guard(device.index, library.slot(RESULT_SLOT));
    this.#isGuarded = true;
    this.#stream ??= library.checked('int32_t aoti_torch_get_current_cuda_stream(int32_t, uintptr_t)');
    this.#stream(device.index, library.slot(RESULT_SLOT));
    return library.getInt(RESULT_SLOT);
  }

  /** The number of axes. */
  rankOf(handle: Handle): number {
    this.functions.rank(handle, this.library.slot(RESULT_SLOT));
    return this.library.getInt(RESULT_SLOT);
  }

  /** The sizes of its axes. */
  shapeOf(handle: Handle): number[] {
    return this.#readAxes(this.functions.sizes, handle, this.rankOf(handle));
  }

  /** How many elements lie between neighbours along each of its axes. */
  stridesOf(handle: Handle): number[] {
    return this.#readAxes(this.functions.strides, handle, this.rankOf(handle));
  }

  /** Numbers that torch keeps for each axis. */
  #readAxes(get: CFunction, handle: Handle, rank: number): number[] {
    if (rank === 0) return [];
    const { library } = this;
    get(handle, library.slot(RESULT_SLOT));
    return Array.from(new BigInt64Array(library.bytes(library.getInt(RESULT_SLOT), rank * 8)), Number);
  }

  /** The element type. */
  dtypeOf(handle: Handle): TorchDtype {
    this.library.setInt(RESULT_SLOT, 0);
    this.functions.dtype(handle, this.library.slot(RESULT_SLOT));
    const number = this.library.getInt(RESULT_SLOT);
    const found = this.#dtypeNames.get(number);
    if (!found)
      throw new TorchError('get_dtype', `a tensor has the element type ${number}, which is not expected`);
    return found;
  }

  /** Converts the element type. */
  cast(handle: Handle, dtype: TorchDtype): Handle {
    return this.call('_to_copy', handle, this.dtypes[dtype], null, null, null, false, null);
  }

  /** Runs an operation with one result. Arguments in the order of its schema, defaults included. */
  call(name: OperationName, ...args: TorchArgument[]): Handle {
    return this.callAll(name, ...args)[0] as Handle;
  }

  /** Whether the installed torch has an operation in the form that we know. */
  knows(name: OperationName): boolean {
    return this.#schemas.get(name) != null;
  }

  /** Runs an operation and returns all of its results: handles, and numbers where it gives numbers. */
  callAll(name: OperationName, ...args: TorchArgument[]): Handle[] {
    const schema = this.#schemas.get(name);
    if (!schema) throw new UnknownOperationError(name, this.version);
    const { library } = this;
    const given = this.lastingArguments(name, args);
    this.#callCount++;
    const direct = this.#direct.get(name);
    const first = direct ? direct(given) : 0;
    if (!direct) {
      this.#arguments.write(name, schema.arguments, given);
      library.dispatch(schema.name, schema.overload);
    }
    const results: Handle[] = [];
    for (const [i, { type }] of schema.returns.entries()) {
      const value = library.getInt(first + i);
      results.push(type === 'Tensor' ? this.take(value) : value);
    }
    return results;
  }

  /** Arguments whose tensors live as long as what is captured now. */
  protected lastingArguments(name: OperationName, args: readonly TorchArgument[]): readonly TorchArgument[] {
    const schema = this.isCapturing ? this.#schemas.get(name) : undefined;
    if (!schema) return args;
    return args.map((value, i) => {
      if (value === null || schema.arguments[i]?.type !== 'Tensor') return value;
      if (typeof value === 'number') return this.lasting(value);
      return (value as readonly (number | null)[]).map((one) => (one === null ? null : this.lasting(one)));
    });
  }
}
