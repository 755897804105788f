import type { Rng } from '../common/rng.js';
import type { TokenGrammar } from './constraint.js';
import type { Choice, Chosen } from './sampler.js';

/** One answer to be made. With greedy decoding it stands for all that ask for the same. */
export interface Sequence {
  /** Which samples of which requests this answer is for. */
  readonly wanted: readonly { readonly request: number; readonly sample: number }[];
  readonly prompt: readonly number[];
  readonly grammar?: TokenGrammar;
  readonly rng: Rng;
}

/** How many tokens two sequences have in common at their beginning. */
export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a[i] === b[i]) i++;
  return i;
}

/** One row of the key-value cache, and the answer that is being made in it. */
export class Slot {
  readonly index: number;
  /** The tokens whose keys and values are in the cache; they stay when the sequence is done. */
  cached: number[] = [];
  /** Tokens that are decided but not fed to the model yet. */
  pending: number[] = [];
  sequence: Sequence | null = null;
  answer: number[] = [];
  logProb = 0;
  /** Tokens of the answer that were no choice. */
  forced = 0;
  #state: object = {};
  #limit = 0;

  constructor(index: number) {
    this.index = index;
  }

  /** True while tokens of the prompt are waiting. */
  get prefilling(): boolean {
    return this.sequence !== null && this.cached.length < this.sequence.prompt.length;
  }

  /**
   * Takes a sequence of which the first `shared` tokens are in this slot of the cache already.
   * @returns what {@link accept} returns
   */
  begin(sequence: Sequence, shared: number, limit: number): 'finished' | 'cut' | 'continue' {
    this.sequence = sequence;
    this.cached = sequence.prompt.slice(0, shared);
    this.pending = sequence.prompt.slice(shared);
    this.answer = [];
    this.logProb = 0;
    this.forced = 0;
    this.#limit = limit;
    if (sequence.grammar) this.#state = sequence.grammar.initial;
    return this.#force();
  }

  /** Takes up to `count` tokens to feed; they count as cached from now on. */
  feed(count: number): number[] {
    const tokens = this.pending.splice(0, count);
    this.cached.push(...tokens);
    return tokens;
  }

  /** What the next token may be. Draws from the sequence's random stream. */
  choice(): Choice {
    const sequence = this.sequence!;
    const room = this.#limit - this.answer.length;
    return {
      allowed: sequence.grammar?.continuationsWithin(this.#state, room),
      uniform: sequence.rng.uniform(),
    };
  }

  /** Ends the answer without one; the cache's rows are not to be used again. */
  fail(): 'failed' {
    this.cached = [];
    return 'failed';
  }

  /** Appends a chosen token, and those that then follow without a choice. */
  accept({ token, logProb }: Chosen, stopIds: readonly number[]): 'finished' | 'cut' | 'continue' {
    this.logProb += logProb;
    if (stopIds.includes(token)) return 'finished';
    const { grammar } = this.sequence!;
    if (grammar) this.#state = grammar.continuations(this.#state).states.get(token)!;
    this.#append([token]);
    return this.#force();
  }

  #append(tokens: readonly number[]): void {
    this.answer.push(...tokens);
    this.pending.push(...tokens);
  }

  #force(): 'finished' | 'cut' | 'continue' {
    const { grammar } = this.sequence!;
    while (grammar && this.answer.length < this.#limit) {
      const { tokens, state } = grammar.forced(this.#state);
      if (tokens.length === 0) break;
      this.#append(tokens);
      this.forced += tokens.length;
      this.#state = state;
    }
    if (this.answer.length < this.#limit) return grammar?.mustEnd(this.#state) ? 'finished' : 'continue';
    // without room for another token the end is forced where it is allowed
    if (this.answer.length === this.#limit && grammar?.mayEnd(this.#state)) return 'finished';
    this.answer.length = this.#limit;
    return 'cut';
  }
}
