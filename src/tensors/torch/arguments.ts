import { TorchError } from './errors.js';
import type { TorchFunctions } from './functions.js';
import { RESULT_SLOT, type TorchLibrary } from './library.js';
import type { ValueType } from './schemas.js';

/** What an argument of an operation may be; a tensor is given by its handle. */
export type TorchArgument = number | boolean | string | null | readonly (number | boolean | null)[];

/** Writes arguments to the stack of the dispatcher, as an operation's schema wants them. */
export class ArgumentWriter {
  readonly #library: TorchLibrary;
  readonly #functions: TorchFunctions;

  constructor(library: TorchLibrary, functions: TorchFunctions) {
    this.#library = library;
    this.#functions = functions;
  }

  /**
   * Writes the arguments of one call; those that are not given are None. Lists and optionals use the result slot
   * while they are made, never the stack.
   * @throws {TorchError} naming the operation, when they do not fit its schema
   */
  write(name: string, slots: readonly ValueType[], args: readonly TorchArgument[]): void {
    if (args.length !== slots.length && !fits(args, slots)) {
      throw new TorchError(name, `takes ${slots.length} arguments, ${args.length} were given`);
    }
    for (let i = 0; i < slots.length; i++) this.#write(i, slots[i] as ValueType, args[i] ?? null, name);
  }

  #write(at: number, slot: ValueType, value: TorchArgument, name: string): void {
    const library = this.#library;
    if (value === null) {
      if (!slot.optional) throw new TorchError(name, `argument ${at} must not be None`);
      library.setInt(at, 0);
      return;
    }
    if (slot.list) library.setInt(at, this.#list(slot, value as readonly (number | boolean | null)[]));
    else this.#writeOne(at, slot.type, value);
    // the value moves into a box, and the box's address into the slot
    if (slot.optional) library.setInt(at, this.#functions.newOptional(at));
  }

  #writeOne(at: number, type: string, value: TorchArgument): void {
    const library = this.#library;
    if (type === 'Tensor') library.setInt(at, this.#duplicate(value as number));
    else if (type === 'float') library.setDouble(at, value as number);
    else if (type === 'str') {
      const text = value as string;
      this.#functions.newString(library.text(text), Buffer.byteLength(text), library.slot(RESULT_SLOT));
      library.setInt(at, library.getInt(RESULT_SLOT));
    } else library.setInt(at, Number(value));
  }

  /** The operation owns the handles that it is given. */
  #duplicate(handle: number): number {
    this.#functions.duplicate(handle, this.#library.slot(RESULT_SLOT));
    return this.#library.getInt(RESULT_SLOT);
  }

  #list(slot: ValueType, values: readonly (number | boolean | null)[]): number {
    const library = this.#library;
    this.#functions.newList(values.length, library.slot(RESULT_SLOT));
    const list = library.getInt(RESULT_SLOT);
    for (const value of values) {
      let element = Number(value ?? 0);
      if (slot.type === 'Tensor' && value !== null) {
        element = this.#duplicate(value as number);
        if (slot.optionalElements) element = this.#functions.newOptional(RESULT_SLOT);
      }
      this.#functions.pushBack(list, element < 0 ? BigInt.asUintN(64, BigInt(element)) : element);
    }
    return list;
  }
}

/** Whether arguments that are missing are optional, and those beyond what torch takes are None. */
function fits(args: readonly TorchArgument[], slots: readonly ValueType[]): boolean {
  return (
    slots.slice(args.length).every(({ optional }) => optional) &&
    args.slice(slots.length).every((value) => value === null)
  );
}
