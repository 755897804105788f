/**
 * The memory that the two threads of a kernel share: a ring of records from the main thread to the transport,
 * and a few flags.
 *
 * Why not messages alone: a message port has no limit and no order with the pipes of child processes. Here a
 * cell that prints faster than the transport carries away waits (nothing fills the memory), and what it has
 * printed before it blocks is with the transport already.
 */

/** What a record of the ring holds. */
export enum RecordKind {
  /** A JSON message. */
  Json = 1,
  /** One that is too long for a record; an interrupt may leave it without its end. */
  JsonStart = 2,
  JsonPart = 3,
  JsonEnd = 4,
  /** Bytes that the JavaScript of a cell wrote. */
  Stdout = 5,
  Stderr = 6,
  /** Bytes that arrived through the file descriptors 1 and 2. */
  NativeStdout = 7,
  NativeStderr = 8,
}

/** One record: what it is, and its bytes. */
export interface RingRecord {
  kind: RecordKind;
  bytes: Uint8Array;
}

/** Bytes of the ring: a power of two, so that positions may run over 2³². */
const RING_BYTES = 4 * 1024 * 1024;
/** The longest record; what is longer is written in parts. */
export const MAX_RECORD_BYTES = 128 * 1024;
const HEADER_BYTES = 8;

/** Places of the flags. */
enum Flag {
  /** Bytes ever written to and read from the ring, modulo 2³². */
  Written,
  Read,
  /** 1 while the reader sleeps and wants to be woken. */
  Asleep,
  /** 0, or the side that has it. */
  Lock,
  /** Counts the answers to `prompt`. */
  Input,
  /** 1 while the main thread does work that must not be terminated. */
  Critical,
  /** Counts the interrupts that the main thread has heard of. */
  Interrupts,
  Count,
}

/** The two ends of a channel. */
export enum Side {
  Main = 1,
  Transport = 2,
}

/** The shared memory, to be handed to the worker. */
export interface ChannelMemory {
  flags: SharedArrayBuffer;
  ring: SharedArrayBuffer;
}

/** Both threads look at the same memory through an object of this class. */
export class Channel {
  readonly memory: ChannelMemory;
  readonly #flags: Int32Array;
  readonly #ring: Uint8Array;
  readonly #words: Int32Array;
  readonly #side: Side;

  constructor(side: Side, memory?: ChannelMemory) {
    this.#side = side;
    this.memory = memory ?? {
      flags: new SharedArrayBuffer(4 * Flag.Count),
      ring: new SharedArrayBuffer(RING_BYTES),
    };
    this.#flags = new Int32Array(this.memory.flags);
    this.#ring = new Uint8Array(this.memory.ring);
    this.#words = new Int32Array(this.memory.ring);
  }

  /** Whether a record of that many bytes has room now. */
  hasRoom(bytes: number): boolean {
    const used = (this.#load(Flag.Written) - this.#load(Flag.Read)) >>> 0;
    return RING_BYTES - used >= recordBytes(bytes);
  }

  /** Waits, blocked, until the reader has taken something away; at most 100 ms. */
  waitForReader(): void {
    Atomics.wait(this.#flags, Flag.Read, this.#load(Flag.Read), 100);
  }

  /** Writes a record that has room. Returns whether the reader sleeps and has to be woken. */
  write(kind: RecordKind, bytes: Uint8Array): boolean {
    const position = this.#load(Flag.Written);
    this.#setWord(position, kind);
    this.#setWord(position + 4, bytes.length);
    const start = (position + HEADER_BYTES) & (RING_BYTES - 1);
    const first = Math.min(bytes.length, RING_BYTES - start);
    this.#ring.set(bytes.subarray(0, first), start);
    this.#ring.set(bytes.subarray(first), 0);
    Atomics.store(this.#flags, Flag.Written, (position + recordBytes(bytes.length)) | 0);
    return Atomics.exchange(this.#flags, Flag.Asleep, 0) === 1;
  }

  /** Takes the next record, or `undefined` where there is none. */
  read(): RingRecord | undefined {
    const position = this.#load(Flag.Read);
    if (position === this.#load(Flag.Written)) return undefined;
    const kind: RecordKind = this.#word(position);
    const length = this.#word(position + 4);
    const bytes = new Uint8Array(length);
    const start = (position + HEADER_BYTES) & (RING_BYTES - 1);
    const first = Math.min(length, RING_BYTES - start);
    bytes.set(this.#ring.subarray(start, start + first));
    bytes.set(this.#ring.subarray(0, length - first), first);
    Atomics.store(this.#flags, Flag.Read, (position + recordBytes(length)) | 0);
    Atomics.notify(this.#flags, Flag.Read);
    return { kind, bytes };
  }

  /** The reader goes to sleep. Returns false where something has come in the meantime: then it must not. */
  sleep(): boolean {
    Atomics.store(this.#flags, Flag.Asleep, 1);
    if (this.#load(Flag.Read) === this.#load(Flag.Written)) return true;
    Atomics.store(this.#flags, Flag.Asleep, 0);
    return false;
  }

  /** Does `action` while the other thread is kept out. What it does must be short and never wait. */
  locked<T>(action: () => T): T {
    const other = this.#side === Side.Main ? Side.Transport : Side.Main;
    while (Atomics.compareExchange(this.#flags, Flag.Lock, 0, this.#side) !== 0) {
      Atomics.wait(this.#flags, Flag.Lock, other, 10);
    }
    try {
      return action();
    } finally {
      Atomics.store(this.#flags, Flag.Lock, 0);
      Atomics.notify(this.#flags, Flag.Lock);
    }
  }

  /** Does `action` on the main thread while the transport must not terminate execution. */
  critical<T>(action: () => T): T {
    const before = Atomics.exchange(this.#flags, Flag.Critical, 1);
    try {
      return action();
    } finally {
      Atomics.store(this.#flags, Flag.Critical, before);
    }
  }

  get isCritical(): boolean {
    return this.#load(Flag.Critical) === 1 || this.#load(Flag.Lock) === Side.Main;
  }

  /** Undoes, on the main thread, what code that was terminated in a critical moment could not undo. */
  recover(): void {
    Atomics.store(this.#flags, Flag.Critical, 0);
    if (Atomics.compareExchange(this.#flags, Flag.Lock, Side.Main, 0) === Side.Main) {
      Atomics.notify(this.#flags, Flag.Lock);
    }
  }

  /** How many interrupts the main thread has heard of. */
  get interruptsHeard(): number {
    return this.#load(Flag.Interrupts);
  }

  hearInterrupt(): void {
    Atomics.add(this.#flags, Flag.Interrupts, 1);
  }

  get inputs(): number {
    return this.#load(Flag.Input);
  }

  /** Blocks until `inputs` is no longer `seen`. */
  waitForInput(seen: number): void {
    Atomics.wait(this.#flags, Flag.Input, seen);
  }

  announceInput(): void {
    Atomics.add(this.#flags, Flag.Input, 1);
    Atomics.notify(this.#flags, Flag.Input);
  }

  #load(flag: Flag): number {
    return Atomics.load(this.#flags, flag);
  }

  #word(position: number): number {
    return this.#words[(position & (RING_BYTES - 1)) >> 2]!;
  }

  #setWord(position: number, value: number): void {
    this.#words[(position & (RING_BYTES - 1)) >> 2] = value;
  }
}

/** Bytes that a record takes in the ring: its header, and its content to a multiple of four. */
function recordBytes(length: number): number {
  return HEADER_BYTES + ((length + 3) & ~3);
}
