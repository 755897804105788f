import koffi from 'koffi';
import { NO_MESSAGE, torchFailure } from './errors.js';

/** The address of a tensor object of libtorch; 0 is none. */
export type Handle = number;

/** Slots of the argument area: a stack for one call, and room for results by reference. */
const SLOTS = 512;
/** Where results by reference are written: behind the longest stack. */
export const RESULT_SLOT = 64;
/** Where sizes and strides are put. */
const SIZES_SLOT = 96;

/**
 * The functions of libtorch's stable C ABI, called through koffi. Addresses are plain numbers (below 2⁵³), and
 * everything that is passed by reference goes through one area of memory that lives as long as the process.
 */
export class TorchLibrary {
  /** `aoti_torch_abi_version()`, which the dispatcher wants to be told. */
  readonly abiVersion: bigint;
  readonly base: number;
  /** Of torch, for errors. */
  version = 'of an unknown version';
  /** Whether hardly any memory is left on the GPU. */
  memoryIsLow: (() => boolean) | undefined;
  readonly #libs: readonly ReturnType<typeof koffi.load>[];
  readonly #words: Uint32Array;
  readonly #doubles: Float64Array;
  readonly #names = new Map<string, number>();
  readonly #dispatch: (name: number, overload: number, stack: number, version: bigint) => number;
  readonly #what: (() => string | null) | null;

  /** @param paths libtorch_cpu, and libtorch_cuda where it is wanted */
  constructor(...paths: string[]) {
    this.#libs = paths.map((path) => koffi.load(path));
    const area = koffi.alloc('uint64_t', SLOTS) as bigint;
    this.base = Number(koffi.address(area));
    const buffer = koffi.view(area, SLOTS * 8);
    this.#words = new Uint32Array(buffer);
    this.#doubles = new Float64Array(buffer);
    this.abiVersion = BigInt(this.#find('uint64_t aoti_torch_abi_version()')());
    this.#dispatch = this.#find('int32_t torch_call_dispatcher(uintptr_t, uintptr_t, uintptr_t, uint64_t)');
    this.#what = this.has('torch_exception_get_what_without_backtrace')
      ? this.#find('const char* torch_exception_get_what_without_backtrace()')
      : null;
    this.value('void aoti_torch_grad_mode_set_enabled(uint8_t)')(0);
  }

  /** A function of whichever library has it. */
  // biome-ignore lint/suspicious/noExplicitAny: what koffi makes of a prototype
  #find(prototype: string): any {
    for (const [i, lib] of this.#libs.entries()) {
      try {
        return lib.func(prototype);
      } catch (error) {
        if (i + 1 === this.#libs.length) throw error;
      }
    }
  }

  /** Whether a library exports a function. */
  has(name: string): boolean {
    try {
      this.#find(`void ${name}()`);
      return true;
    } catch {
      return false;
    }
  }

  /** The address of slot `i` of the argument area. */
  slot(i: number): number {
    return this.base + i * 8;
  }

  /** Writes an integer of at most 53 bits, or an address. */
  setInt(i: number, value: number): void {
    this.#words[2 * i] = value >>> 0;
    this.#words[2 * i + 1] = Math.floor(value / 2 ** 32);
  }

  setDouble(i: number, value: number): void {
    this.#doubles[i] = value;
  }

  /** Reads an integer of at most 53 bits, or an address. */
  getInt(i: number): number {
    return (this.#words[2 * i] as number) + ((this.#words[2 * i + 1] as number) | 0) * 2 ** 32;
  }

  /** The address of a text that stays where it is. */
  text(text: string): number {
    let address = this.#names.get(text);
    if (address === undefined) {
      const bytes = Buffer.from(`${text}\0`);
      const memory = koffi.alloc('char', bytes.length) as bigint;
      new Uint8Array(koffi.view(memory, bytes.length)).set(bytes);
      address = Number(koffi.address(memory));
      this.#names.set(text, address);
    }
    return address;
  }

  /** Bytes at an address: valid as long as what lies there. */
  bytes(address: number, length: number): ArrayBuffer {
    return koffi.view(BigInt(address), length);
  }

  /** A function whose result is a value. */
  value(prototype: string): (...args: (number | bigint)[]) => number {
    const f = this.#find(prototype) as (...args: (number | bigint)[]) => number;
    return (...args) => Number(f(...args));
  }

  /** A function that returns an error code, which becomes a {@link TorchError}. */
  checked(prototype: string): (...args: (number | bigint)[]) => void {
    const f = this.#find(prototype) as (...args: (number | bigint)[]) => number;
    const name = /(\w+)\(/.exec(prototype)?.[1] ?? prototype;
    return (...args) => {
      if (f(...args) !== 0) throw this.#failure(name);
    };
  }

  /** Calls an operation whose arguments lie in the slots from 0 on; results take their place. */
  dispatch(name: string, overload: string): void {
    const code = this.#dispatch(this.text(name), this.text(overload), this.base, this.abiVersion);
    if (code === 0) return;
    const plain = name.replace('aten::', '');
    throw this.#failure(overload ? `${plain}.${overload}` : plain);
  }

  #failure(operation: string): Error {
    return torchFailure(operation, this.message(), this.version, this.memoryIsLow?.() ?? false);
  }

  /** torch's words for the last error, on one line. */
  message(): string {
    const text = this.#what?.() ?? NO_MESSAGE;
    return text.split('\n')[0]?.trim() || 'failed';
  }

  /** Puts integers where functions that take sizes can read them; returns the address. */
  sizes(values: readonly number[], at = 0): number {
    const first = SIZES_SLOT + at;
    for (let i = 0; i < values.length; i++) this.setInt(first + i, values[i] as number);
    return this.slot(first);
  }
}
