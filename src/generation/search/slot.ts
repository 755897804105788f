import { type Step, tokensOf } from './answer-tree.js';
import type { Continuations } from './continuations.js';
import type { OpenNode } from './frontier.js';
import type { Guess } from './guesses.js';
import type { PromptSearch } from './prompt-search.js';

/** A token to feed; with the last one of a node or a guessed step, that step: its continuations are read there. */
export interface Pending {
  readonly token: number;
  readonly step: Step | null;
}

/** One row of the key-value cache: the branch that is followed in it, and those that were left beside it. */
export class SearchSlot {
  readonly index: number;
  /** The tokens whose keys and values are in the cache. */
  readonly cached: number[] = [];
  search: PromptSearch | null = null;
  /** The node that the last of its tokens are fed for; null when the branch has ended. */
  current: OpenNode | null = null;
  /** Nodes of the same search that nobody follows yet, the last first: they branch off what is cached here. */
  open: OpenNode[] = [];
  #pending: Pending[] = [];
  #guess: Guess | null = null;
  /** Steps of the guess that were found to be right. */
  #accepted = 0;

  constructor(index: number) {
    this.index = index;
  }

  /** Whether tokens were fed that nobody has verified. */
  get isGuessing(): boolean {
    return this.#guess !== null;
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Tokens of the prompt that wait. */
  get pendingPrompt(): number {
    return this.search === null || this.current === null
      ? 0
      : Math.max(0, this.search.prompt.length - this.cached.length);
  }

  /** Takes a node of which the first `shared` tokens are in this slot of the cache already. */
  begin(search: PromptSearch, current: OpenNode, shared: number): void {
    this.search = search;
    this.current = current;
    const tokens = [...search.prompt, ...tokensOf(current.node)];
    this.cached.splice(0, this.cached.length, ...tokens.slice(0, shared));
    this.#pending = [];
    this.#guess = null;
    this.#add(tokens.slice(shared), current.node);
  }

  /** Appends guessed steps, to be verified by the same pass. */
  guess(guess: Guess | null): void {
    this.#guess = guess?.steps.length ? guess : null;
    this.#accepted = 0;
    for (const step of guess?.steps ?? []) this.#add(step.tokens, step);
  }

  /** Takes up to `count` tokens to feed; they count as cached from now on. */
  feed(count: number): Pending[] {
    const fed = this.#pending.splice(0, count);
    for (const { token } of fed) this.cached.push(token);
    return fed;
  }

  /**
   * Goes on after the current node.
   * @returns whether the next step is the guessed one, so that what was fed for it counts
   */
  advance(continuations: Continuations): boolean {
    const search = this.search!;
    const { node } = this.current!;
    const opened = search.expand(this.current!, continuations);
    const guessed = this.#guess?.steps[this.#accepted]?.tokens[0];
    const isNext = (current: OpenNode | undefined) =>
      guessed !== undefined &&
      current?.known === undefined &&
      current?.node.parent === node &&
      current.node.tokens[0] === guessed;
    const likeliest = opened.findIndex(isNext);
    const isRight = this.#guess?.isAnswer ? likeliest >= 0 : isNext(opened[0]);
    const [next] = opened.splice(isRight ? likeliest : 0, 1);
    this.open.push(...opened.reverse());
    search.remaining += opened.length + (next ? 1 : 0) - 1;
    this.current = next ?? null;
    if (isRight) {
      this.#accepted += 1;
      return true;
    }
    this.#guess = null;
    // what was guessed after the node is cropped
    this.cached.length = search.prompt.length + node.length;
    this.#pending = [];
    if (next) this.#add(next.node.tokens, next.node);
    return false;
  }

  /** Leaves everything; the cache's rows stay. @returns the opened that are not done */
  leave(): OpenNode[] {
    const left = this.current ? [...this.open, this.current] : this.open;
    // tokens that wait for the current node are not in the cache
    this.open = [];
    this.current = null;
    this.#pending = [];
    this.#guess = null;
    return left;
  }

  #add(tokens: readonly number[], step: Step): void {
    for (const [i, token] of tokens.entries()) {
      this.#pending.push({ token, step: i === tokens.length - 1 ? step : null });
    }
  }
}
