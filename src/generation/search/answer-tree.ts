/** @file The answers to one prompt as a tree: a step is a token that the model chooses and those that are then forced. */
import type { TokenGrammar } from '../constraint.js';

/** A chosen token with those that the grammar forces after it, which cost no decision. */
export interface Step {
  readonly tokens: readonly number[];
  /** Of the grammar. */
  readonly state: object;
  /** Whether the answer goes on, has to end here without a choice, or has become too long. */
  readonly outcome: 'open' | 'complete' | 'cut';
  /** Tokens of the answer up to its end. */
  readonly length: number;
}

/** The beginning of an answer, after which the model chooses; the first one is that of all answers. */
export interface Node extends Step {
  readonly parent: Node | null;
  /** In nats; what was forced counts 0. */
  readonly logProb: number;
}

/** Which answers there may be, apart from the model. */
export class AnswerTree {
  readonly #grammar: TokenGrammar | undefined;
  /** The most tokens of an answer, without the one that ends it. */
  readonly #limit: number;

  constructor(grammar: TokenGrammar | undefined, limit: number) {
    this.#grammar = grammar;
    this.#limit = limit;
  }

  /** What every answer begins with. */
  root(): Node {
    const step = this.#force([], this.#grammar?.initial ?? {}, 0);
    return { ...step, parent: null, logProb: 0 };
  }

  /** The tokens that may follow, ascending, those that end the answer among them; undefined when all may. */
  allowed({ state }: Step): Int32Array | undefined {
    return this.#grammar?.continuations(state).tokens;
  }

  /** The step that a token takes; undefined for one that the grammar does not allow. */
  step({ state, length }: Step, token: number): Step | undefined {
    const after = this.#grammar ? this.#grammar.continuations(state).states.get(token) : state;
    return after && this.#force([token], after, length);
  }

  #force(chosen: number[], from: object, before: number): Step {
    const tokens = chosen;
    const grammar = this.#grammar;
    let state = from;
    for (let room = this.#limit - before - tokens.length; grammar && room > 0; ) {
      const forced = grammar.forced(state);
      if (forced.tokens.length === 0) break;
      tokens.push(...forced.tokens);
      room -= forced.tokens.length;
      state = forced.state;
    }
    const length = before + tokens.length;
    const isOver = length <= this.#limit && grammar?.mustEnd(state);
    // the token that ends an answer is one more than it may have
    const outcome = isOver ? 'complete' : length < this.#limit ? 'open' : 'cut';
    return { tokens, state, outcome, length };
  }
}

/** The tokens of the answer up to a node. */
export function tokensOf(node: Node): number[] {
  const steps: (readonly number[])[] = [];
  for (let at: Node | null = node; at; at = at.parent) steps.push(at.tokens);
  return steps.reverse().flat();
}
