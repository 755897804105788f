import type { TextGrammar } from '../prompts/grammar.js';
import { DeadEndError } from './errors.js';
import type { GenerationTokenizer, TrieNode, VocabularyTrie } from './vocabulary.js';

/** What may follow a state of the grammar. */
export interface StateContinuations {
  /** Ids of the allowed tokens, ascending; includes those that end an answer where the grammar accepts. */
  readonly tokens: Int32Array;
  /** The state after each of them. */
  readonly states: ReadonlyMap<number, object>;
}

/** Tokens that follow without a choice, and the state after them. */
export interface Forced {
  readonly tokens: readonly number[];
  readonly state: object;
}

/** In the middle of a character that the vocabulary has only in pieces of UTF-8. */
class PieceState {
  constructor(readonly paths: readonly { rest: readonly number[]; after: object }[]) {}
}

/** More characters than any answer has between two choices; guards against a grammar that never ends. */
const LONGEST_FORCED_TEXT = 4096;

/**
 * A grammar over characters lifted to the tokens of a vocabulary. Any cutting of an accepted text into tokens
 * is allowed, not only the tokenizer's own. What is found out about a state is kept with it: equal states of
 * a grammar are the same object.
 */
export class TokenGrammar {
  readonly #grammar: TextGrammar;
  readonly #vocabulary: VocabularyTrie;
  readonly #tokenizer: GenerationTokenizer;
  readonly #continuations = new WeakMap<object, StateContinuations>();
  readonly #forced = new WeakMap<object, Forced>();
  readonly #tokensToEnd = new WeakMap<object, number>();

  constructor(grammar: TextGrammar, vocabulary: VocabularyTrie, tokenizer: GenerationTokenizer) {
    this.#grammar = grammar;
    this.#vocabulary = vocabulary;
    this.#tokenizer = tokenizer;
  }

  /** The tokens of a piece of an answer. */
  #encode(text: string): number[] {
    return this.#tokenizer.encodeAfter?.(text) ?? this.#tokenizer.encode(text);
  }

  get initial(): object {
    return this.#grammar.initial;
  }

  /** True when an answer in this state is complete and nothing can follow. */
  mustEnd(state: object): boolean {
    if (state instanceof PieceState) return false;
    return this.#grammar.accepts(state) && this.#grammar.next(state).length === 0;
  }

  /** True when an answer may end in this state. */
  mayEnd(state: object): boolean {
    return !(state instanceof PieceState) && this.#grammar.accepts(state);
  }

  /**
   * The tokens that may follow a state when an answer has room for `room` more: those after which it can still
   * be ended in time. All that the grammar allows when there is no room for any end.
   */
  continuationsWithin(state: object, room: number): Int32Array {
    const { tokens, states } = this.continuations(state);
    const fits = (id: number) =>
      this.#tokenizer.stopIds.includes(id) || this.tokensToEnd(states.get(id)!) < room;
    if (tokens.every(fits)) return tokens;
    const fitting = tokens.filter(fits);
    return fitting.length > 0 ? fitting : tokens;
  }

  /** How many tokens, cut as the tokenizer does it, the shortest way from a state to the end of an answer has. */
  tokensToEnd(state: object): number {
    const known = this.#tokensToEnd.get(state);
    if (known !== undefined) return known;
    if (state instanceof PieceState)
      return Math.min(...state.paths.map(({ rest, after }) => rest.length + this.tokensToEnd(after)));
    this.#measureEnd(state);
    return this.#tokensToEnd.get(state)!;
  }

  /** Counts the tokens of the shortest end for all states on the way to it, so that each is asked for once. */
  #measureEnd(from: object): void {
    const text = shortestEnd(this.#grammar, from);
    const texts = this.#encode(text).map((id) => this.#tokenizer.tokenText(id));
    // where a character takes several tokens, characters are counted one by one
    const whole = texts.join('') === text;
    const cuts = whole ? texts : [...text];
    const lengths = cuts.map((cut) => (whole ? 1 : this.#encode(cut).length));
    let left = lengths.reduce((sum, length) => sum + length, 0);
    let state = from;
    const keep = (count: number) => {
      if (!this.#tokensToEnd.has(state)) this.#tokensToEnd.set(state, count);
    };
    for (const [i, cut] of cuts.entries()) {
      keep(left);
      left -= lengths[i]!;
      const characters = [...cut];
      for (let j = 1; j <= characters.length; j++) {
        state = this.#grammar.step(state, characters[j - 1]!)!;
        if (j < characters.length) keep(left + this.#encode(characters.slice(j).join('')).length);
      }
    }
    keep(0);
  }

  /** The tokens that may follow a state. @throws {DeadEndError} for a character that the vocabulary lacks. */
  continuations(state: object): StateContinuations {
    let found = this.#continuations.get(state);
    if (found) return found;
    const states = new Map<number, object>();
    if (state instanceof PieceState) {
      addPieces(state.paths, states);
    } else {
      this.#collect(state, this.#vocabulary.root, states);
      addPieces(this.#charactersInPieces(state), states);
      if (this.#grammar.accepts(state)) for (const id of this.#tokenizer.stopIds) states.set(id, state);
    }
    found = { tokens: Int32Array.from(states.keys()).sort(), states };
    this.#continuations.set(state, found);
    return found;
  }

  /**
   * The tokens that follow a state without any choice. Characters that are determined are cut into tokens as
   * the tokenizer does it; the last of those is left to the model when a longer token could take its place
   * and run into the next choice.
   */
  forced(state: object): Forced {
    let found = this.#forced.get(state);
    if (!found) {
      found = this.#forcedText(state) ?? this.#onlyToken(state);
      this.#forced.set(state, found);
    }
    return found;
  }

  /** Null when no character is determined, or when its tokens have no text of their own (pieces of UTF-8). */
  #forcedText(state: object): Forced | null {
    if (state instanceof PieceState) return null;
    let text = '';
    let end = state;
    while (text.length < LONGEST_FORCED_TEXT && !this.#grammar.accepts(end)) {
      const next = this.#grammar.next(end);
      if (next.length !== 1) break;
      text += next[0];
      end = this.#grammar.step(end, next[0]!)!;
    }
    const tokens = this.#encode(text);
    const texts = tokens.map((id) => this.#tokenizer.tokenText(id));
    if (text === '' || texts.join('') !== text) return null;
    // a model may be told to stop at what others write in a text
    if (tokens.some((id) => this.#tokenizer.stopIds.includes(id))) return null;
    let beforeLast = state;
    for (const character of texts.slice(0, -1).join(''))
      beforeLast = this.#grammar.step(beforeLast, character)!;
    const longer = [...this.continuations(beforeLast).states.keys()].some(
      (id) =>
        this.#tokenizer.tokenText(id).length > texts.at(-1)!.length && !this.#tokenizer.stopIds.includes(id),
    );
    return longer ? { tokens: tokens.slice(0, -1), state: beforeLast } : { tokens, state: end };
  }

  #onlyToken(state: object): Forced {
    const { tokens, states } = this.continuations(state);
    const [only] = tokens;
    if (tokens.length !== 1 || this.#tokenizer.stopIds.includes(only!)) return { tokens: [], state };
    return { tokens: [only!], state: states.get(only!)! };
  }

  #collect(state: object, node: TrieNode, found: Map<number, object>): void {
    for (const character of this.#grammar.next(state)) {
      const child = this.#vocabulary.child(node, character);
      if (child === null) continue;
      const after = this.#grammar.step(state, character)!;
      for (const id of this.#vocabulary.idsAt(child)) found.set(id, after);
      this.#collect(after, child, found);
    }
  }

  /** The next characters that no token begins with, as the tokens that the tokenizer makes of them. */
  #charactersInPieces(state: object): PieceState['paths'] {
    const lacking = this.#grammar
      .next(state)
      .filter((character) => this.#vocabulary.child(this.#vocabulary.root, character) === null);
    return lacking.map((character) => {
      const rest = this.#encode(character);
      if (rest.length < 2 || this.#tokenizer.decode(rest) !== character) {
        throw new DeadEndError(
          `\`constrained\`: the model's vocabulary cannot write ${JSON.stringify(character)}, which the grid ` +
            'encoder needs; decode without `constrained`, or choose another `gridEncoder`',
        );
      }
      return { rest, after: this.#grammar.step(state, character)! };
    });
  }
}

/** The shortest text that makes an answer in this state complete. */
function shortestEnd(grammar: TextGrammar, state: object): string {
  const seen = new Set([state]);
  let ends = [{ state, text: '' }];
  while (ends.length > 0) {
    const done = ends.find((end) => grammar.accepts(end.state));
    if (done) return done.text;
    ends = ends.flatMap((end) =>
      grammar.next(end.state).flatMap((character) => {
        const after = grammar.step(end.state, character)!;
        if (seen.has(after)) return [];
        seen.add(after);
        return [{ state: after, text: end.text + character }];
      }),
    );
  }
  throw new Error('a grammar without an end');
}

/** Adds the first token of each path, and where it leads: into the character, or behind it. */
function addPieces(paths: PieceState['paths'], states: Map<number, object>): void {
  for (const first of new Set(paths.map(({ rest }) => rest[0]!))) {
    const begun = paths.filter(({ rest }) => rest[0] === first);
    const done = begun.find(({ rest }) => rest.length === 1);
    const inside = begun.map(({ rest, after }) => ({ rest: rest.slice(1), after }));
    states.set(first, done ? done.after : new PieceState(inside));
  }
}
