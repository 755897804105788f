import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus, xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

type Generator = ReturnType<typeof xoroshiro128plus>;

/** Mixes 32-bit words into one (the finalizer of MurmurHash3 after each), so that near seeds give far streams. */
function mix(words: readonly number[]): number {
  let hash = 0x9e3779b9;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash | 0;
}

/** A string as words for {@link mix}. */
function wordsOf(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0);
}

/**
 * The seeded generator that is passed to everything that draws (xoroshiro128+).
 * `Rng.of(seed, 'augment', 17)` names a stream: the same names give the same draws, in any order and in any
 * thread, which is what makes the n-th training sample a pure function of the seed and n.
 */
export class Rng {
  readonly #generator: Generator;

  private constructor(generator: Generator) {
    this.#generator = generator;
  }

  /** A stream named by numbers and strings. */
  static of(seed: number, ...names: (number | string)[]): Rng {
    const words = [seed | 0, Math.floor(seed / 2 ** 32) | 0];
    for (const name of names)
      words.push(...(typeof name === 'number' ? [name | 0] : wordsOf(name)), 0x7f4a7c15);
    return new Rng(xoroshiro128plus(mix(words)));
  }

  /** Continues from a `state`. */
  static fromState(state: readonly number[]): Rng {
    return new Rng(xoroshiro128plusFromState(state));
  }

  /** All of its state, as plain numbers that survive JSON. */
  state(): readonly number[] {
    return this.#generator.getState();
  }

  /** An independent generator, seeded from this one. */
  fork(): Rng {
    return new Rng(xoroshiro128plus(this.#generator.next() | 0));
  }

  /** A float in [0, 1) with 53 random bits. */
  uniform(): number {
    const high = this.#generator.next() >>> 5;
    const low = this.#generator.next() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return uniformInt(this.#generator, low, high);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** A normally distributed float (Box–Muller). */
  normal(mean = 0, standardDeviation = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return mean + standardDeviation * radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** One item, each equally likely. @throws {RangeError} when there is none. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('cannot pick from an empty list');
    return items[this.int(0, items.length - 1)] as T;
  }

  /** One item, with probabilities proportional to `weights` (non-negative, not all zero). */
  pickWeighted<T>(items: readonly T[], weights: readonly number[]): T {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (items.length !== weights.length || !(total > 0)) {
      throw new RangeError('pickWeighted needs one weight for each item and a positive sum');
    }
    let rest = this.uniform() * total;
    for (let i = 0; i < items.length; i++) {
      rest -= weights[i] as number;
      if (rest < 0) return items[i] as T;
    }
    return items[weights.findLastIndex((weight) => weight > 0)] as T;
  }

  /** A shuffled copy (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
    }
    return copy;
  }

  /** `count` different items in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    return this.shuffle(items).slice(0, count);
  }
}
