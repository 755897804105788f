import type { Device } from '../device.js';
import { RESULT_SLOT, type TorchLibrary } from './library.js';

/** Where an optional's address is written to; the slots beside it hold values. */
const OPTIONAL_SLOT = RESULT_SLOT + 8;

/** A function of the C ABI. It throws torch's error; what it gives, it writes to an address. */
export type CFunction = (...args: (number | bigint)[]) => void;

/** The functions of libtorch's C ABI that handles and arguments are made with. */
export interface TorchFunctions {
  readonly duplicate: CFunction;
  readonly delete: CFunction;
  readonly empty: CFunction;
  /** Memory of the host that a GPU can read by itself; null where there is none. */
  readonly emptyPinned: CFunction | null;
  readonly reinterpret: CFunction;
  readonly copy: CFunction;
  readonly dataPointer: CFunction;
  readonly rank: CFunction;
  readonly sizes: CFunction;
  readonly strides: CFunction;
  readonly dtype: CFunction;
  readonly addTensors: CFunction;
  readonly addProduct: CFunction;
  readonly full: CFunction;
  /** A product with a weight in oneDNN's layout; null where there is none. */
  readonly linearPointwise: CFunction | null;
  readonly newList: CFunction;
  readonly pushBack: CFunction;
  readonly newString: CFunction;
  /** The address of memory for an optional's value, which the operation frees; the value lies in a slot. */
  readonly newOptional: (slot: number) => number;
}

/** Finds them in the library. @throws {TorchError} naming the one that is missing */
export function bindFunctions(library: TorchLibrary, device: Device): TorchFunctions {
  const bind = (name: string, parameters: string) => library.checked(`int32_t ${name}(${parameters})`);
  const bindOn = (type: Device['type'], name: string, parameters: string) =>
    device.type === type && library.has(name) ? bind(name, parameters) : null;
  const newTensor = 'int64_t, uintptr_t, uintptr_t, int32_t, int32_t, int32_t, uintptr_t';
  const read = 'uintptr_t, uintptr_t';
  return {
    duplicate: bind('aoti_torch_new_tensor_handle', read),
    delete: bind('aoti_torch_delete_tensor_object', 'uintptr_t'),
    empty: bind('aoti_torch_empty_strided', newTensor),
    emptyPinned: bindOn('cuda', 'aoti_torch_empty_strided_pinned', newTensor),
    reinterpret: bind(
      'aoti_torch__reinterpret_tensor',
      'uintptr_t, int64_t, uintptr_t, uintptr_t, int64_t, uintptr_t',
    ),
    copy: bind('aoti_torch_copy_', 'uintptr_t, uintptr_t, int32_t'),
    dataPointer: bind('aoti_torch_get_data_ptr', read),
    rank: bind('aoti_torch_get_dim', read),
    sizes: bind('aoti_torch_get_sizes', read),
    strides: bind('aoti_torch_get_strides', read),
    dtype: bind('aoti_torch_get_dtype', read),
    addProduct: bind(
      `aoti_torch_${device.type}_addmm_out`,
      'uintptr_t, uintptr_t, uintptr_t, uintptr_t, double, double',
    ),
    addTensors: bind(`aoti_torch_${device.type}_add_Tensor`, 'uintptr_t, uintptr_t, double, uintptr_t'),
    full: bind(
      'aoti_torch_aten_full',
      'uintptr_t, int64_t, double, uintptr_t, uintptr_t, uintptr_t, int32_t, uintptr_t, uintptr_t',
    ),
    linearPointwise: bindOn(
      'cpu',
      'aoti_torch_cpu__linear_pointwise',
      'uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, int64_t, uintptr_t, uintptr_t',
    ),
    newList: bind('torch_new_list_reserve_size', 'uint64_t, uintptr_t'),
    pushBack: bind('torch_list_push_back', 'uintptr_t, uint64_t'),
    newString: bind('torch_new_string_handle', 'uintptr_t, uint64_t, uintptr_t'),
    newOptional: optionalAllocator(library),
  };
}

/** Before 2.13 an optional's memory has to come from C++'s `operator new` itself. */
function optionalAllocator(library: TorchLibrary): (slot: number) => number {
  const copy = library.value('uintptr_t memcpy(uintptr_t, uintptr_t, uint64_t)');
  const filled = (address: number, slot: number) => copy(address, library.slot(slot), 8);
  if (library.has('torch_new_stable_ivalue')) {
    const create = library.checked('int32_t torch_new_stable_ivalue(uintptr_t)');
    return (slot) => {
      create(library.slot(OPTIONAL_SLOT));
      return filled(library.getInt(OPTIONAL_SLOT), slot);
    };
  }
  const allocate = library.value('uintptr_t _Znwm(uint64_t)');
  return (slot) => filled(allocate(8), slot);
}
