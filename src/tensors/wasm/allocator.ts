import { OutOfMemoryError } from '../errors.js';

/** Sizes and addresses are multiples of this: vectors may read and write past a tensor's end, inside its block. */
const UNIT = 64;
const PAGE = 65536;
const MAX_PAGES = 65536;
/** Bins with one size each, then eight bins for each power of two. */
const EXACT_BINS = 32;
const BINS = EXACT_BINS + 8 * 24;
/** How many blocks of the request's own bin are looked at before a bin of larger blocks is taken. */
const SEARCH_LIMIT = 16;

/** A piece of the memory: in use, or free and in the list of its bin. */
export interface Block {
  /** Byte address. */
  pointer: number;
  /** Bytes, a multiple of 64. */
  size: number;
  free: boolean;
  before: Block | null;
  after: Block | null;
  previousFree: Block | null;
  nextFree: Block | null;
}

/** The bin of a size: every block in a higher bin is larger than every block in a lower one. */
function binOf(size: number): number {
  const units = size / UNIT;
  if (units < EXACT_BINS) return units;
  const exponent = 31 - Math.clz32(units);
  const eighth = (units >>> (exponent - 3)) & 7;
  return EXACT_BINS + (exponent - 5) * 8 + eighth;
}

/** Bytes as people read them. */
export function formatBytes(bytes: number): string {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(1)} GB`;
  if (bytes >= 2 ** 20) return `${(bytes / 2 ** 20).toFixed(1)} MB`;
  return `${Math.ceil(bytes / 1024)} KB`;
}

/**
 * Allocates pieces of one WebAssembly memory: segregated free lists with immediate coalescing (a two-level
 * fit, see Masmano et al., "TLSF", 2004). Its lists are JavaScript objects, because only the main thread
 * allocates.
 */
export class Allocator {
  readonly #memory: WebAssembly.Memory;
  readonly #base: number;
  readonly #bins: (Block | null)[] = new Array(BINS).fill(null);
  /** One bit for each bin that is not empty. */
  readonly #occupied = new Int32Array(Math.ceil(BINS / 32));
  #end: number;
  #last: Block | null = null;
  #used = 0;
  #blocks = 0;

  /** @param base first byte that may be handed out */
  constructor(memory: WebAssembly.Memory, base: number) {
    this.#memory = memory;
    this.#base = Math.ceil(base / UNIT) * UNIT;
    this.#end = this.#base;
    this.#extend(memory.buffer.byteLength - this.#base);
  }

  /** Bytes in blocks that are in use. */
  get usedBytes(): number {
    return this.#used;
  }

  /** Blocks in use. */
  get usedBlocks(): number {
    return this.#blocks;
  }

  /** Bytes of the memory, used or free. */
  get reservedBytes(): number {
    return this.#end;
  }

  /** A block of at least `bytes` bytes; its content is whatever was there. @throws {OutOfMemoryError} */
  allocate(bytes: number): Block {
    const size = Math.max(UNIT, Math.ceil(bytes / UNIT) * UNIT);
    let block = this.#find(size);
    if (block === null) {
      this.#grow(size);
      block = this.#find(size);
      if (block === null) throw new Error(`allocator: no block of ${size} bytes after growing`);
    }
    this.#unlink(block);
    block.free = false;
    if (block.size - size >= UNIT) {
      const rest: Block = {
        pointer: block.pointer + size,
        size: block.size - size,
        free: true,
        before: block,
        after: block.after,
        previousFree: null,
        nextFree: null,
      };
      if (block.after !== null) block.after.before = rest;
      else this.#last = rest;
      block.after = rest;
      block.size = size;
      this.#link(rest);
    }
    this.#used += block.size;
    this.#blocks++;
    return block;
  }

  /** Gives a block back and joins it with free neighbours. */
  release(block: Block): void {
    if (block.free) throw new Error(`allocator: block at ${block.pointer} released twice`);
    this.#used -= block.size;
    this.#blocks--;
    block.free = true;
    const { before, after } = block;
    if (after?.free) {
      this.#unlink(after);
      this.#absorb(block, after);
    }
    if (before?.free) {
      this.#unlink(before);
      this.#absorb(before, block);
      this.#link(before);
    } else {
      this.#link(block);
    }
  }

  #absorb(block: Block, next: Block): void {
    block.size += next.size;
    block.after = next.after;
    if (next.after !== null) next.after.before = block;
    else this.#last = block;
  }

  #find(size: number): Block | null {
    const bin = binOf(size);
    let candidate = this.#bins[bin] as Block | null;
    for (let tries = 0; candidate !== null && tries < SEARCH_LIMIT; tries++) {
      if (candidate.size >= size) return candidate;
      candidate = candidate.nextFree;
    }
    const start = bin + 1;
    for (let word = start >>> 5; word < this.#occupied.length; word++) {
      let bits = this.#occupied[word] as number;
      if (word === start >>> 5) bits &= -1 << (start & 31);
      if (bits !== 0) return this.#bins[word * 32 + 31 - Math.clz32(bits & -bits)] as Block;
    }
    return null;
  }

  #link(block: Block): void {
    const bin = binOf(block.size);
    const head = this.#bins[bin] as Block | null;
    block.previousFree = null;
    block.nextFree = head;
    if (head !== null) head.previousFree = block;
    this.#bins[bin] = block;
    this.#occupied[bin >>> 5]! |= 1 << (bin & 31);
  }

  #unlink(block: Block): void {
    const bin = binOf(block.size);
    if (block.previousFree !== null) block.previousFree.nextFree = block.nextFree;
    else {
      this.#bins[bin] = block.nextFree;
      if (block.nextFree === null) this.#occupied[bin >>> 5]! &= ~(1 << (bin & 31));
    }
    if (block.nextFree !== null) block.nextFree.previousFree = block.previousFree;
    block.previousFree = null;
    block.nextFree = null;
  }

  /** Makes the memory long enough for one more block of `size` bytes, in steps of at least a quarter. */
  #grow(size: number): void {
    const tail = this.#last?.free ? this.#last.size : 0;
    const pages = this.#memory.buffer.byteLength / PAGE;
    const needed = Math.ceil((size - tail) / PAGE);
    // the last page stays unused, so that an address one past the end still fits in 32 bits
    const left = MAX_PAGES - 1 - pages;
    const wanted = Math.min(left, Math.max(needed, Math.ceil(pages / 4)));
    for (const step of wanted > needed ? [wanted, needed] : [needed]) {
      if (needed > left) break;
      try {
        this.#memory.grow(step);
        this.#extend(step * PAGE);
        return;
      } catch {
        // the system may refuse a large step and still grant a small one
      }
    }
    throw new OutOfMemoryError(
      `out of memory in the wasm backend: ${formatBytes(size)} more do not fit beside the ` +
        `${formatBytes(this.#used)} in use (limit 4.0 GB); use smaller batches or shorter sequences`,
    );
  }

  #extend(bytes: number): void {
    const size = Math.floor(bytes / UNIT) * UNIT;
    const last = this.#last;
    if (last?.free) {
      this.#unlink(last);
      last.size += size;
      this.#link(last);
    } else {
      const block: Block = {
        pointer: this.#end,
        size,
        free: true,
        before: last,
        after: null,
        previousFree: null,
        nextFree: null,
      };
      if (last !== null) last.after = block;
      this.#last = block;
      this.#link(block);
    }
    this.#end += size;
  }
}
