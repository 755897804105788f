import type { Device } from '../device.js';
import { stridesOf } from '../strides.js';
import { TorchError, UnknownOperationError } from './errors.js';
import { freeGpuMemory, type Gpu } from './gpus.js';
import { resolveSchemas } from './installed.js';
import { type Handle, RESULT_SLOT, type TorchLibrary } from './library.js';
import type { OperationName, Schema, Slot } from './schemas.js';

/** What an argument of an operation may be; a tensor is given by its handle. */
export type Argument = number | boolean | string | null | readonly (number | boolean | null)[];

/** Element types of torch that we use. */
export type TorchDtype = 'float64' | 'float32' | 'bfloat16' | 'float16' | 'int32' | 'int64' | 'bool';

const bytesOf: Record<TorchDtype, number> = {
  float64: 8,
  float32: 4,
  bfloat16: 2,
  float16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
};

/**
 * Tensors of libtorch by their handles. A handle that an operation returns belongs to the innermost
 * {@link tidy}, which frees all but the one it returns.
 */
export class Torch {
  readonly library: TorchLibrary;
  readonly device: Device;
  /** What is known of the device when it is a GPU. */
  readonly gpu: Gpu | undefined;
  readonly version: string;
  /** The numbers by which libtorch knows element types. */
  readonly dtypes: Readonly<Record<TorchDtype, number>>;
  readonly #dtypeNames: ReadonlyMap<number, TorchDtype>;
  readonly #schemas: ReadonlyMap<OperationName, Schema | null>;
  #scope: Handle[] | null = null;
  #live = 0;

  readonly #duplicate: (...args: (number | bigint)[]) => void;
  readonly #delete: (...args: (number | bigint)[]) => void;
  readonly #empty: (...args: (number | bigint)[]) => void;
  readonly #reinterpret: (...args: (number | bigint)[]) => void;
  readonly #copy: (...args: (number | bigint)[]) => void;
  readonly #dataPointer: (...args: (number | bigint)[]) => void;
  readonly #rankOf: (...args: (number | bigint)[]) => void;
  readonly #sizesOf: (...args: (number | bigint)[]) => void;
  readonly #stridesOf: (...args: (number | bigint)[]) => void;
  readonly #dtypeOf: (...args: (number | bigint)[]) => void;
  readonly #addTensors: (...args: (number | bigint)[]) => void;
  readonly #linearPointwise: ((...args: (number | bigint)[]) => void) | null;
  readonly #full: (...args: (number | bigint)[]) => void;
  readonly #newList: (...args: (number | bigint)[]) => void;
  readonly #pushBack: (...args: (number | bigint)[]) => void;
  readonly #newString: (...args: (number | bigint)[]) => void;
  readonly #newOptional: () => number;
  readonly #emptyPinned: ((...args: (number | bigint)[]) => void) | null;
  readonly #deviceTypes: Record<Device['type'], number>;

  constructor(
    library: TorchLibrary,
    {
      device,
      gpu,
      version,
      schemas,
    }: { device: Device; gpu?: Gpu; version: string; schemas?: Map<string, string> },
  ) {
    this.library = library;
    this.device = device;
    this.gpu = gpu;
    this.version = version;
    library.version = version;
    library.memoryIsLow = gpu && (() => (freeGpuMemory() ?? gpu.memory) < gpu.memory / 20);
    this.#schemas = resolveSchemas(schemas);
    const dtype = (name: string) => library.value(`int32_t aoti_torch_dtype_${name}()`)();
    this.dtypes = {
      float64: dtype('float64'),
      float32: dtype('float32'),
      bfloat16: dtype('bfloat16'),
      float16: dtype('float16'),
      int32: dtype('int32'),
      int64: dtype('int64'),
      bool: dtype('bool'),
    };
    this.#dtypeNames = new Map(
      Object.entries(this.dtypes).map(([name, value]) => [value, name as TorchDtype]),
    );
    this.#deviceTypes = {
      cpu: library.value('int32_t aoti_torch_device_type_cpu()')(),
      cuda: library.value('int32_t aoti_torch_device_type_cuda()')(),
    };
    this.#duplicate = library.checked('int32_t aoti_torch_new_tensor_handle(uintptr_t, uintptr_t)');
    this.#delete = library.checked('int32_t aoti_torch_delete_tensor_object(uintptr_t)');
    this.#empty = library.checked(
      'int32_t aoti_torch_empty_strided(int64_t, uintptr_t, uintptr_t, int32_t, int32_t, int32_t, uintptr_t)',
    );
    const pinned =
      'aoti_torch_empty_strided_pinned(int64_t, uintptr_t, uintptr_t, int32_t, int32_t, int32_t, uintptr_t)';
    this.#emptyPinned =
      device.type === 'cuda' && library.has('aoti_torch_empty_strided_pinned')
        ? library.checked(`int32_t ${pinned}`)
        : null;
    this.#reinterpret = library.checked(
      'int32_t aoti_torch__reinterpret_tensor(uintptr_t, int64_t, uintptr_t, uintptr_t, int64_t, uintptr_t)',
    );
    this.#copy = library.checked('int32_t aoti_torch_copy_(uintptr_t, uintptr_t, int32_t)');
    this.#dataPointer = library.checked('int32_t aoti_torch_get_data_ptr(uintptr_t, uintptr_t)');
    this.#rankOf = library.checked('int32_t aoti_torch_get_dim(uintptr_t, uintptr_t)');
    this.#sizesOf = library.checked('int32_t aoti_torch_get_sizes(uintptr_t, uintptr_t)');
    this.#stridesOf = library.checked('int32_t aoti_torch_get_strides(uintptr_t, uintptr_t)');
    this.#dtypeOf = library.checked('int32_t aoti_torch_get_dtype(uintptr_t, uintptr_t)');
    this.#addTensors = library.checked(
      `int32_t aoti_torch_${device.type}_add_Tensor(uintptr_t, uintptr_t, double, uintptr_t)`,
    );
    this.#full = library.checked(
      'int32_t aoti_torch_aten_full(uintptr_t, int64_t, double, uintptr_t, uintptr_t, uintptr_t, int32_t, uintptr_t, uintptr_t)',
    );
    const linearPointwise = 'aoti_torch_cpu__linear_pointwise';
    this.#linearPointwise =
      device.type === 'cpu' && library.has(linearPointwise)
        ? library.checked(
            `int32_t ${linearPointwise}(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, int64_t, uintptr_t, uintptr_t)`,
          )
        : null;
    this.#newList = library.checked('int32_t torch_new_list_reserve_size(uint64_t, uintptr_t)');
    this.#pushBack = library.checked('int32_t torch_list_push_back(uintptr_t, uint64_t)');
    this.#newString = library.checked('int32_t torch_new_string_handle(uintptr_t, uint64_t, uintptr_t)');
    this.#newOptional = this.#optionalAllocator();
  }

  /** Handles that are alive. */
  get liveHandles(): number {
    return this.#live;
  }

  /** An optional's box, which the call frees: before 2.13 it has to come from C++'s `operator new` itself. */
  #optionalAllocator(): () => number {
    const { library } = this;
    if (library.has('torch_new_stable_ivalue')) {
      const create = library.checked('int32_t torch_new_stable_ivalue(uintptr_t)');
      return () => {
        create(library.slot(RESULT_SLOT));
        return library.getInt(RESULT_SLOT);
      };
    }
    const allocate = library.value('uintptr_t _Znwm(uint64_t)');
    return () => allocate(8);
  }

  /** Runs `f` and frees every handle made in it but the one (or ones) that it returns. */
  tidy<T extends Handle | readonly Handle[] | undefined>(f: () => T): T {
    const outer = this.#scope;
    const scope: Handle[] = [];
    this.#scope = scope;
    let kept: readonly Handle[] = [];
    try {
      const result = f();
      kept = typeof result === 'number' ? [result] : (result ?? []);
      return result;
    } finally {
      this.#scope = outer;
      for (const handle of scope) if (!kept.includes(handle)) this.free(handle);
      if (outer) outer.push(...kept);
    }
  }

  /** Takes a handle out of the innermost {@link tidy}: whoever calls this frees it. */
  claim(handle: Handle): void {
    const at = this.#scope?.lastIndexOf(handle) ?? -1;
    if (at >= 0) this.#scope?.splice(at, 1);
  }

  /** Takes a new handle that a function wrote to the result slot. */
  #take(handle = this.library.getInt(RESULT_SLOT)): Handle {
    this.#live++;
    this.#scope?.push(handle);
    return handle;
  }

  free(handle: Handle): void {
    this.#live--;
    this.#delete(handle);
  }

  /** A second handle on the same tensor. */
  duplicate(handle: Handle): Handle {
    this.#duplicate(handle, this.library.slot(RESULT_SLOT));
    return this.#take();
  }

  /** A tensor whose elements are not initialised. */
  empty(shape: readonly number[], dtype: TorchDtype, device = this.device): Handle {
    const { library } = this;
    const sizes = library.sizes(shape);
    const strides = library.sizes(stridesOf(shape), shape.length);
    const type = this.#deviceTypes[device.type];
    const result = library.slot(RESULT_SLOT);
    this.#empty(shape.length, sizes, strides, this.dtypes[dtype], type, device.index, result);
    return this.#take();
  }

  /**
   * A tensor on the host that a GPU reads by itself, while this thread goes on; null where torch has none. It may be
   * freed at once: torch waits with using its memory again.
   */
  emptyPinned(shape: readonly number[], dtype: TorchDtype): Handle | null {
    if (!this.#emptyPinned) return null;
    const { library } = this;
    const sizes = library.sizes(shape);
    const strides = library.sizes(stridesOf(shape), shape.length);
    const result = library.slot(RESULT_SLOT);
    this.#emptyPinned(shape.length, sizes, strides, this.dtypes[dtype], this.#deviceTypes.cpu, -1, result);
    return this.#take();
  }

  /** The same elements under another shape; `strides` and `offset` (in elements) make any view. */
  view(handle: Handle, shape: readonly number[], strides = stridesOf(shape), offset = 0): Handle {
    const { library } = this;
    const sizes = library.sizes(shape);
    const steps = library.sizes(strides, shape.length);
    this.#reinterpret(handle, shape.length, sizes, steps, offset, library.slot(RESULT_SLOT));
    return this.#take();
  }

  /** A copy in row-major order. */
  contiguous(handle: Handle, shape: readonly number[], dtype: TorchDtype): Handle {
    const out = this.empty(shape, dtype);
    this.copy(out, handle);
    return out;
  }

  /** Copies elements, converting their type and moving them between devices. */
  copy(to: Handle, from: Handle, { wait = true } = {}): void {
    this.#copy(to, from, wait ? 0 : 1);
  }

  /** a + alpha · b, broadcast, in a's type. */
  add(a: Handle, b: Handle, alpha = 1): Handle {
    const dtype = this.dtypeOf(a);
    if (dtype === 'int32' || dtype === 'int64') {
      // the function takes alpha as a float, which torch refuses for integers; float64 holds every int32
      return this.tidy(() => {
        const [x, y] = [this.cast(a, 'float64'), this.cast(b, 'float64')];
        return this.cast(this.add(x, y, alpha), dtype);
      });
    }
    this.#addTensors(a, b, alpha, this.library.slot(RESULT_SLOT));
    return this.#take();
  }

  /** Whether tensors lie on a GPU, and operations that only it has can be called. */
  get usesCudaKernels(): boolean {
    return this.device.type === 'cuda';
  }

  /** Whether {@link pack} and {@link linearPacked} are there. */
  get canPack(): boolean {
    return this.#linearPointwise !== null;
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
    this.#linearPointwise?.(
      x,
      packed,
      biasAddress,
      library.text('none'),
      0,
      0,
      library.slot(RESULT_SLOT + 2),
      library.slot(RESULT_SLOT),
    );
    return this.#take();
  }

  /** A tensor of one value. */
  full(shape: readonly number[], value: number, dtype: TorchDtype): Handle {
    const { library, device } = this;
    library.setInt(RESULT_SLOT + 1, this.dtypes[dtype]);
    library.setInt(RESULT_SLOT + 2, this.#deviceTypes[device.type]);
    this.#full(
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
    return this.#take();
  }

  /** The same in row-major order: copied only when it lies otherwise. */
  rowMajor(handle: Handle): Handle {
    const shape = this.shapeOf(handle);
    const strides = this.#readAxes(this.#stridesOf, handle, shape.length);
    const steps = stridesOf(shape);
    const asIs = shape.every((size, axis) => size === 1 || strides[axis] === steps[axis]);
    return asIs ? handle : this.contiguous(handle, shape, this.dtypeOf(handle));
  }

  /** The elements of a tensor on the CPU, in place. */
  hostBytes(handle: Handle, elements: number, dtype: TorchDtype): ArrayBuffer {
    this.#dataPointer(handle, this.library.slot(RESULT_SLOT));
    return this.library.bytes(this.library.getInt(RESULT_SLOT), elements * bytesOf[dtype]);
  }

  /** The number of axes. */
  rankOf(handle: Handle): number {
    this.#rankOf(handle, this.library.slot(RESULT_SLOT));
    return this.library.getInt(RESULT_SLOT);
  }

  /** The sizes of its axes. */
  shapeOf(handle: Handle): number[] {
    return this.#readAxes(this.#sizesOf, handle, this.rankOf(handle));
  }

  /** Numbers that torch keeps for each axis. */
  #readAxes(get: (...args: (number | bigint)[]) => void, handle: Handle, rank: number): number[] {
    if (rank === 0) return [];
    const { library } = this;
    get(handle, library.slot(RESULT_SLOT));
    return Array.from(new BigInt64Array(library.bytes(library.getInt(RESULT_SLOT), rank * 8)), Number);
  }

  /** The element type. */
  dtypeOf(handle: Handle): TorchDtype {
    this.library.setInt(RESULT_SLOT, 0);
    this.#dtypeOf(handle, this.library.slot(RESULT_SLOT));
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
  call(name: OperationName, ...args: Argument[]): Handle {
    return this.callAll(name, ...args)[0] as Handle;
  }

  /** Whether the installed torch has an operation in the form that we know. */
  knows(name: OperationName): boolean {
    return this.#schemas.get(name) != null;
  }

  /** Runs an operation and returns all of its results: handles, and numbers where it gives numbers. */
  callAll(name: OperationName, ...args: Argument[]): Handle[] {
    const schema = this.#schemas.get(name);
    if (!schema) throw new UnknownOperationError(name, this.version);
    const { library } = this;
    const slots = schema.arguments;
    if (args.length !== slots.length && !fits(args, slots)) {
      throw new TorchError(name, `takes ${slots.length} arguments, ${args.length} were given`);
    }
    // lists and optionals use the result slot while they are made, never the stack
    for (let i = 0; i < slots.length; i++) this.#encode(i, slots[i] as Slot, args[i] ?? null, name);
    library.dispatch(schema.name, schema.overload);
    const results: Handle[] = [];
    for (const [i, { type }] of schema.returns.entries()) {
      results.push(type === 'Tensor' ? this.#take(library.getInt(i)) : library.getInt(i));
    }
    return results;
  }

  #encode(at: number, slot: Slot, value: Argument, name: string): void {
    const { library } = this;
    if (value === null) {
      if (!slot.optional) throw new TorchError(name, `argument ${at} must not be None`);
      library.setInt(at, 0);
      return;
    }
    const boxed = slot.optional ? this.#newOptional() : 0;
    if (slot.list) library.setInt(at, this.#list(slot, value as readonly (number | boolean | null)[]));
    else this.#encodeOne(at, slot.type, value);
    if (!slot.optional) return;
    // the value moves into the box, and the box's address into the slot
    new Uint8Array(library.bytes(boxed, 8)).set(new Uint8Array(library.bytes(library.slot(at), 8)));
    library.setInt(at, boxed);
  }

  #encodeOne(at: number, type: string, value: Argument): void {
    const { library } = this;
    if (type === 'Tensor') {
      this.#duplicate(value as number, library.slot(RESULT_SLOT));
      library.setInt(at, library.getInt(RESULT_SLOT));
    } else if (type === 'float') library.setDouble(at, value as number);
    else if (type === 'str') {
      const text = value as string;
      this.#newString(library.text(text), Buffer.byteLength(text), library.slot(RESULT_SLOT));
      library.setInt(at, library.getInt(RESULT_SLOT));
    } else library.setInt(at, Number(value));
  }

  #list(slot: Slot, values: readonly (number | boolean | null)[]): number {
    const { library } = this;
    const result = library.slot(RESULT_SLOT);
    this.#newList(values.length, result);
    const list = library.getInt(RESULT_SLOT);
    for (const value of values) {
      let element = Number(value ?? 0);
      if (slot.type === 'Tensor' && value !== null) {
        this.#duplicate(value as number, result);
        element = library.getInt(RESULT_SLOT);
        if (slot.optionalElements) {
          const box = this.#newOptional();
          new BigUint64Array(library.bytes(box, 8))[0] = BigInt(element);
          element = box;
        }
      }
      this.#pushBack(list, BigInt.asUintN(64, BigInt(element)));
    }
    return list;
  }
}

/** Whether arguments that are missing are optional, and those beyond what torch takes are None. */
function fits(args: readonly Argument[], slots: readonly Slot[]): boolean {
  return (
    slots.slice(args.length).every(({ optional }) => optional) &&
    args.slice(slots.length).every((value) => value === null)
  );
}
