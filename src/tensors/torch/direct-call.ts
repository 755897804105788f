import type { Device } from '../device.js';
import type { TorchArgument } from './arguments.js';
import { TorchError } from './errors.js';
import type { TorchLibrary } from './library.js';
import { type OperationName, parseSchema, type Schema, schemas, type ValueType } from './schemas.js';

/** Runs an operation. @returns the slot of its first result; the others follow: new handles, and numbers */
export type DirectCall = (args: readonly TorchArgument[]) => number;

/**
 * Whether the dispatcher of the C ABI can give an operation's results. `torch_call_dispatcher` takes the last of n
 * results by the type of the first, and so on (every release since it was made), so that an operation of four tensors
 * and two integers runs and then fails with "Expected Tensor but got Int".
 */
export function dispatcherGives({ returns }: Schema): boolean {
  return returns.every(({ type, list, optional }, i) => {
    const read = returns[returns.length - 1 - i] as ValueType;
    return type === read.type && list === read.list && optional === read.optional;
  });
}

/** How the C function of an operation takes a value: `int64_t`, …, or the address of one that may be None. */
function parameter({ type, list, optional }: ValueType): string {
  const plain = { Tensor: 'uintptr_t', int: 'int64_t', float: 'double', bool: 'int32_t' }[type];
  if (plain === undefined || list) throw new Error(`torch: no C function here takes a ${type}`);
  return optional ? 'uintptr_t' : plain;
}

/** The C function of an operation: the arguments of its schema, then the addresses of its results. */
export function directPrototype(name: string, { arguments: slots, returns }: Schema): string {
  return `int32_t ${name}(${[...slots.map(parameter), ...returns.map(() => 'uintptr_t')].join(', ')})`;
}

/**
 * The C function that libtorch has for one operation (`aoti_torch_cuda__efficient_attention_forward`), which goes
 * around {@link dispatcherGives the dispatcher}. Its tensors are borrowed, unlike the dispatcher's. The schema is the
 * one that we know: the function keeps its arguments when a release gives its operation more of them. Undefined when
 * the library lacks it.
 */
export function bindDirectly(library: TorchLibrary, name: string, schema: Schema): DirectCall | undefined {
  if (!library.has(name)) return undefined;
  const { arguments: slots, returns } = schema;
  const call = library.checked(directPrototype(name, schema));
  return (args) => {
    const values = slots.map((slot, at) => {
      const value = args[at] ?? null;
      if (value === null) {
        if (!slot.optional) throw new TorchError(name, `argument ${at} must not be None`);
        return 0;
      }
      if (!slot.optional) return Number(value);
      if (slot.type === 'float') library.setDouble(at, value as number);
      else library.setInt(at, Number(value));
      return library.slot(at);
    });
    if (args.length > slots.length) throw new TorchError(name, `takes ${slots.length} arguments`);
    call(...values, ...returns.map((_, i) => library.slot(slots.length + i)));
    return slots.length;
  };
}

/** The C function on CUDA of an operation whose results the dispatcher cannot give. */
export const directName = (name: OperationName): string => `aoti_torch_cuda_${name.replace('.', '_')}`;

/** The operations that are called so, on the device that has kernels for them; undefined what the library lacks. */
export function bindDirectCalls(
  library: TorchLibrary,
  device: Device,
): Map<OperationName, DirectCall | undefined> {
  if (device.type !== 'cuda') return new Map();
  const known = Object.entries(schemas).map(
    ([name, text]) => [name as OperationName, parseSchema(text)] as const,
  );
  return new Map(
    known
      .filter(([, schema]) => !dispatcherGives(schema))
      .map(([name, schema]) => [name, bindDirectly(library, directName(name), schema)]),
  );
}
