/**
 * A reader of the pickles in which PyTorch keeps a state dict: names, shapes and where the numbers lie. Nothing is
 * called: of the machine that Python's pickles are programs for (Lib/pickletools.py lists its opcodes) only what puts
 * data together is here, and a name of Python is a word that the caller gives a meaning to or refuses.
 */

/** A name of Python in a pickle, such as `collections.OrderedDict`. */
export class PickleName {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** What a pickle gives: None is null, a dict a Map, tuples and lists arrays. */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | PickleName
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | object;

/** What a pickle's names mean. */
export interface PickleMeaning {
  /** The result of a call. @throws for what may not be called */
  call(name: string, args: PickleValue[]): PickleValue;
  /** What a persistent id stands for. */
  persistent(id: PickleValue): PickleValue;
}

/** A pickle that is no state dict. */
export class PickleError extends Error {}

const MARK = new PickleName('mark');

/** The value of a pickle of protocol 2, as torch.save writes. @throws {PickleError} for any other, and damaged ones */
export function readPickle(bytes: Uint8Array, meaning: PickleMeaning): PickleValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const memo = new Map<number, PickleValue>();
  const stack: PickleValue[] = [];
  let at = 0;
  /** The place of the next `count` bytes. */
  const take = (count: number): number => {
    if (count < 0 || at + count > bytes.length) throw new PickleError('its pickle ends in the middle');
    at += count;
    return at - count;
  };
  const text = (count: number): string => {
    const start = take(count);
    return new TextDecoder().decode(bytes.subarray(start, start + count));
  };
  const line = (): string => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw new PickleError('its pickle ends in the middle');
    const result = text(end - at);
    at += 1;
    return result;
  };
  const pop = (): PickleValue => {
    const value = stack.pop();
    if (value === undefined || value === MARK) throw new PickleError('its pickle takes what is not there');
    return value;
  };
  const top = <T>(type: abstract new (...args: never[]) => T): T => {
    const value = stack.at(-1);
    if (!(value instanceof type)) throw new PickleError('its pickle adds to what is no list or dict');
    return value;
  };
  const toMark = (): PickleValue[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) throw new PickleError('its pickle takes what is not there');
    const values = stack.splice(mark);
    return values.slice(1);
  };
  const tuple = (count: number): void => void stack.push(Array.from({ length: count }, pop).reverse());
  const set = (values: readonly PickleValue[]): void => {
    const dict = top(Map) as Map<PickleValue, PickleValue>;
    for (let i = 0; i + 1 < values.length; i += 2) dict.set(values[i]!, values[i + 1]!);
  };
  const recall = (key: number): void => {
    const value = memo.get(key);
    if (value === undefined) throw new PickleError('its pickle recalls what it has not kept');
    stack.push(value);
  };
  const keep = (key: number): void => {
    const value = stack.at(-1);
    if (value === undefined) throw new PickleError('its pickle takes what is not there');
    memo.set(key, value);
  };
  /** An integer of at most 8 bytes, in two's complement. */
  const long = (count: number): number => {
    if (count > 8) throw new PickleError('its pickle has an integer of more than 64 bits');
    const start = take(count);
    let value = 0n;
    for (let i = 0; i < count; i++) value |= BigInt(bytes[start + i]!) << BigInt(8 * i);
    return Number(BigInt.asIntN(8 * count, value));
  };
  const opcodes: Record<number, () => void> = {
    128: () => void take(1), // PROTO
    40: () => void stack.push(MARK), // MARK
    78: () => void stack.push(null), // NONE
    136: () => void stack.push(true), // NEWTRUE
    137: () => void stack.push(false), // NEWFALSE
    74: () => void stack.push(view.getInt32(take(4), true)), // BININT
    75: () => void stack.push(view.getUint8(take(1))), // BININT1
    77: () => void stack.push(view.getUint16(take(2), true)), // BININT2
    138: () => void stack.push(long(view.getUint8(take(1)))), // LONG1
    71: () => void stack.push(view.getFloat64(take(8))), // BINFLOAT
    88: () => void stack.push(text(view.getUint32(take(4), true))), // BINUNICODE
    41: () => void stack.push([]), // EMPTY_TUPLE
    93: () => void stack.push([]), // EMPTY_LIST
    125: () => void stack.push(new Map()), // EMPTY_DICT
    133: () => tuple(1), // TUPLE1
    134: () => tuple(2), // TUPLE2
    135: () => tuple(3), // TUPLE3
    116: () => void stack.push(toMark()), // TUPLE
    97: () => {
      const value = pop(); // APPEND
      top(Array).push(value);
    },
    101: () => {
      const values = toMark(); // APPENDS
      const list = top(Array);
      for (const value of values) list.push(value);
    },
    115: () => {
      const value = pop(); // SETITEM
      set([pop(), value]);
    },
    117: () => set(toMark()), // SETITEMS
    113: () => keep(view.getUint8(take(1))), // BINPUT
    114: () => keep(view.getUint32(take(4), true)), // LONG_BINPUT
    104: () => recall(view.getUint8(take(1))), // BINGET
    106: () => recall(view.getUint32(take(4), true)), // LONG_BINGET
    99: () => {
      const module = line(); // GLOBAL
      stack.push(new PickleName(`${module}.${line()}`));
    },
    81: () => void stack.push(meaning.persistent(pop())), // BINPERSID
    82: () => {
      const args = pop(); // REDUCE
      const name = pop();
      if (!(name instanceof PickleName) || !Array.isArray(args))
        throw new PickleError('its pickle calls what is no name');
      stack.push(meaning.call(name.name, args));
    },
    98: () => {
      pop(); // BUILD: what an OrderedDict has beside its items (the versions of modules) is not looked at
      top(Map);
    },
  };
  for (;;) {
    const code = bytes[take(1)]!;
    if (code === 46) {
      const value = pop(); // STOP
      if (value instanceof PickleName) throw new PickleError(`its pickle is the name ${value.name}`);
      return value;
    }
    const run = opcodes[code];
    if (!run) throw new PickleError(`its pickle has the opcode ${code}, which no state dict needs`);
    run();
  }
}
