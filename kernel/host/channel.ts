/**
 * The memory that the two threads of a kernel share: a ring of records from the main thread to the transport,
 * and a few flags.
 *
 * Why not messages alone: a message port has no limit and no order with the pipes of child processes. Here a
 * cell that prints faster than the transport carries away waits (nothing fills the memory), and what it has
 * printed before it blocks is with the transport already.
 */
import { type KeptMemory, mapKeptMemory, RING_BYTES } from './kept-memory.js';
import { RecordKind, Ring, type RingRecord, recordBytes } from './ring.js';

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
  /** Who keeps the other from going on: see `Guard`. */
  Guard,
  /** The number of the last request that the main thread has accepted. */
  Accepted,
  /** The number of the request whose cell has begun and is not over; 0 for none. */
  Cell,
  /** The number of the request whose cell was interrupted last; 0 for none. */
  Interrupted,
  /** 1 when a cell was abandoned: what it left behind may go on. */
  Abandoned,
  Count,
}

/** A mutex between a step of the main thread that must be whole and a termination of what that thread does. */
enum Guard {
  Free,
  /** The main thread is in a critical step: nothing is terminated. */
  Critical,
  /** A termination is on its way and has not taken effect: no critical step begins. */
  Terminating,
}

/** The two ends of a channel. */
export enum Side {
  Main = 1,
  Transport = 2,
}

/** The shared memory, to be handed to the worker. */
export interface ChannelMemory {
  flags: SharedArrayBuffer;
  ring: SharedArrayBuffer | undefined;
  /** In place of `ring`: the file descriptor of memory that outlives the process. */
  keptFd: number | undefined;
}

/** Both threads look at the same memory through an object of this class. */
export class Channel {
  readonly memory: ChannelMemory;
  /** Where the ring is for the supervisor of a process that died; undefined without one. */
  readonly kept: KeptMemory | undefined;
  readonly #flags: Int32Array;
  readonly #ring: Ring;
  readonly #side: Side;
  /** How many critical steps are in each other. */
  #depth = 0;

  constructor(side: Side, memory = newMemory()) {
    this.#side = side;
    this.memory = memory;
    this.#flags = new Int32Array(memory.flags);
    if (memory.keptFd !== undefined) this.kept = mapKeptMemory(memory.keptFd);
    this.#ring = this.kept?.ring ?? new Ring(memory.ring!);
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
    const end = this.#ring.put(this.#load(Flag.Written), kind, bytes);
    Atomics.store(this.#flags, Flag.Written, end);
    if (this.kept !== undefined) this.kept.written = end;
    return kind !== RecordKind.Owner && Atomics.exchange(this.#flags, Flag.Asleep, 0) === 1;
  }

  /** Takes the next record, or `undefined` where there is none. */
  read(): RingRecord | undefined {
    const position = this.#load(Flag.Read);
    if (position === this.#load(Flag.Written)) return undefined;
    const record = this.#ring.at(position);
    Atomics.store(this.#flags, Flag.Read, record.end);
    if (this.kept !== undefined) this.kept.read = record.end;
    Atomics.notify(this.#flags, Flag.Read);
    return record;
  }

  /** Where the record ends that was read last. */
  get readEnd(): number {
    return this.#load(Flag.Read);
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

  /**
   * Does `action` on the main thread, whole: a termination that is on its way takes effect before it (and then this
   * never returns), another one begins after it. Steps may contain steps; none may wait for the transport.
   */
  critical<T>(action: () => T): T {
    this.enterCritical();
    try {
      return action();
    } finally {
      this.leaveCritical();
    }
  }

  /** Begins a critical step that does not end where it began. */
  enterCritical(): void {
    if (this.#depth === 0) {
      for (;;) {
        const guard = Atomics.compareExchange(this.#flags, Flag.Guard, Guard.Free, Guard.Critical);
        if (guard !== Guard.Terminating) break;
        Atomics.wait(this.#flags, Flag.Guard, Guard.Terminating, 1);
      }
    }
    this.#depth++;
  }

  leaveCritical(): void {
    if (this.#depth > 0 && --this.#depth === 0) Atomics.store(this.#flags, Flag.Guard, Guard.Free);
  }

  /** To be called where the main thread is in nothing: no critical step goes on. */
  leaveAll(): void {
    while (this.#depth > 0) this.leaveCritical();
  }

  /**
   * Called by the transport before it terminates what the main thread does: from now on no critical step begins.
   * Returns false where there is one, where a termination is on its way already, or where `isWanted` says so, which
   * is asked when nothing can change its answer any more.
   */
  beginTermination(isWanted: () => boolean): boolean {
    const guard = Atomics.compareExchange(this.#flags, Flag.Guard, Guard.Free, Guard.Terminating);
    if (guard !== Guard.Free) return false;
    if (isWanted()) return true;
    this.endTermination();
    return false;
  }

  /** The termination has taken effect, and the main thread has left all that it was doing. */
  endTermination(): void {
    Atomics.compareExchange(this.#flags, Flag.Guard, Guard.Terminating, Guard.Free);
    Atomics.notify(this.#flags, Flag.Guard);
  }

  /** The number of the last request that the main thread has accepted; they are counted from 1. */
  get accepted(): number {
    return this.#load(Flag.Accepted);
  }

  /** To be called in a critical step, together with all that makes the request known. */
  accept(number: number): void {
    Atomics.store(this.#flags, Flag.Accepted, number);
  }

  /** The number of the request whose cell runs; 0 for none. Changes in critical steps only. */
  get cell(): number {
    return this.#load(Flag.Cell);
  }

  set cell(number: number) {
    Atomics.store(this.#flags, Flag.Cell, number);
  }

  /** The number of the request whose cell the transport was asked to stop last; 0 for none. */
  get interrupted(): number {
    return this.#load(Flag.Interrupted);
  }

  set interrupted(number: number) {
    Atomics.store(this.#flags, Flag.Interrupted, number);
  }

  /** Whether a cell was ever abandoned. */
  get hasAbandoned(): boolean {
    return this.#load(Flag.Abandoned) === 1;
  }

  noteAbandoned(): void {
    Atomics.store(this.#flags, Flag.Abandoned, 1);
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
}

/** Memory for two threads. @param keptFd where the ring shall outlive the process; see kept-memory.ts */
export function newMemory(keptFd?: number): ChannelMemory {
  const ring = keptFd === undefined ? new SharedArrayBuffer(RING_BYTES) : undefined;
  return { flags: new SharedArrayBuffer(4 * Flag.Count), ring, keptFd };
}
