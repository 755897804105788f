import { setImmediate as turn } from 'node:timers/promises';
import type { Decoder } from '../../models/decoder.js';
import type { KvCache } from '../../models/kv-cache.js';
import { notFiniteReason } from '../../tensors/finite-advice.js';
import { best, noProgress, WORTH_WAITING } from '../engine.js';
import { newCache, slotLength, withinMemory } from '../memory.js';
import { commonPrefix } from '../slot.js';
import type { GenerationTokenizer } from '../vocabulary.js';
import { type Step, tokensOf } from './answer-tree.js';
import { ContinuationReader, type Continuations } from './continuations.js';
import type { OpenNode } from './frontier.js';
import { guessAfter } from './guesses.js';
import { makeItems, type SearchItem, type SharedUsage } from './items.js';
import type { PromptSearch } from './prompt-search.js';
import { SearchSlot } from './slot.js';
import type { FoundAnswers, SearchOptions, SearchProgress, SearchRequest } from './types.js';

/*
 * The search:
 * - the answers to a prompt are a tree; a branch is followed as long as the probability of the answer up to there is
 *   at least the threshold, so that every answer above it is found and nothing below it is read further than a token;
 * - a slot is one row of the key-value cache and follows one branch, the likeliest token first; what it leaves beside
 *   its way waits in it, the last first (depth first), and needs no more than a crop and one token;
 * - a slot with nothing left takes the next prompt; when there is none, it takes over the branch that has waited
 *   longest from another one, with a copy of the cache up to there (a fork);
 * - every pass feeds each slot what it needs next, and guessed tokens behind it, which it verifies row by row.
 */

/** A row of a pass after which continuations are read. */
interface Read {
  readonly slot: SearchSlot;
  readonly step: Step;
  readonly row: number;
}

/**
 * Finds for every request all answers with a probability of at least `threshold`: the product of the probabilities of
 * its tokens in the model's own distribution (temperature 1, all tokens that the decoder has, no grammar), the
 * likeliest token that ends it included; what a grammar forces counts 1, as in {@link Completion.logProb}. There are
 * at most 1 / threshold of them. An answer is a sequence of fewer than `maxNewTokens` tokens: what can be cut into
 * tokens in several ways is several answers. The result depends on the model and the prompt only, not on the batch
 * size, guesses or other requests, but for answers whose probability is so near the threshold that rounding decides,
 * and for limits.
 * @throws {RangeError} when the threshold is not in (0, 1], or a prompt leaves no room for an answer within
 * `maxSeqLen`.
 */
export async function searchAnswers(
  decoder: Decoder,
  tokenizer: GenerationTokenizer,
  requests: readonly SearchRequest[],
  options: SearchOptions,
): Promise<FoundAnswers[]> {
  const { threshold, batchSize = 8 } = options;
  if (!(threshold > 0 && threshold <= 1)) {
    throw new RangeError(`a threshold is above 0 and at most 1, found ${threshold}`);
  }
  const maxLength = slotLength(requests, options);
  if (requests.length === 0) return [];
  const cache = newCache(decoder, { slots: batchSize, maxLength });
  try {
    return await new Search(decoder, tokenizer, cache, requests, options).run();
  } finally {
    cache.dispose();
  }
}

class Search {
  readonly #decoder: Decoder;
  readonly #cache: KvCache;
  readonly #slots: SearchSlot[];
  readonly #itemOf = new Map<PromptSearch, SearchItem>();
  readonly #options: SearchOptions;
  readonly #reader: ContinuationReader;
  readonly #isRowEnd: (token: number) => boolean;
  readonly #progress: { -readonly [K in keyof SearchProgress]: SearchProgress[K] };
  readonly #results: FoundAnswers[] = [];
  readonly #now: () => number;
  readonly #started: number;
  #queue: SearchItem[];

  constructor(
    decoder: Decoder,
    tokenizer: GenerationTokenizer,
    cache: KvCache,
    requests: readonly SearchRequest[],
    options: SearchOptions,
  ) {
    this.#decoder = decoder;
    this.#cache = cache;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#started = this.#now();
    this.#slots = Array.from({ length: cache.slots }, (_, index) => new SearchSlot(index));
    this.#reader = new ContinuationReader(decoder, tokenizer.stopIds);
    const rowEnds = new Map<number, boolean>();
    this.#isRowEnd = (token) => {
      let isEnd = rowEnds.get(token);
      if (isEnd === undefined) {
        isEnd = tokenizer.tokenText(token).includes('\n');
        rowEnds.set(token, isEnd);
      }
      return isEnd;
    };
    this.#progress = { ...noProgress(requests.length), guessedTokens: 0, acceptedTokens: 0, answers: 0 };
    this.#queue = makeItems(requests, tokenizer, options, cache.maxLength);
    for (const item of this.#queue) this.#itemOf.set(item.search, item);
  }

  async run(): Promise<FoundAnswers[]> {
    while (this.#progress.finished < this.#progress.total) {
      this.#options.signal?.throwIfAborted();
      this.#checkLimits();
      for (const slot of this.#slots) if (slot.current === null) this.#admit(slot);
      await this.#step();
      this.#progress.seconds = (this.#now() - this.#started) / 1000;
      this.#options.onProgress?.({ ...this.#progress });
      await turn(); // lets signals and messages be handled
    }
    return this.#results;
  }

  /** Ends the search for groups that have reached a limit. */
  #checkLimits(): void {
    const { seconds = Infinity, tokens = Infinity } = this.#options.limits ?? {};
    const isOver = (group: SharedUsage) =>
      group.isOver ||
      group.tokens >= tokens ||
      (group.startedAt !== undefined && this.#now() - group.startedAt >= 1000 * seconds);
    for (const slot of this.#slots) {
      if (slot.search === null || !isOver(this.#itemOf.get(slot.search)!.group)) continue;
      const left = slot.leave();
      for (const open of left) slot.search.postpone(open);
      slot.search.remaining -= left.length;
      this.#finishIfDone(slot.search);
    }
    for (const item of this.#queue.filter(({ group }) => isOver(group))) {
      for (const open of item.search.begin()) item.search.postpone(open);
      this.#finishIfDone(item.search);
    }
    this.#queue = this.#queue.filter(({ isDone }) => !isDone);
  }

  /** Gives a slot without work a branch: one of its own, the next prompt, or one of another slot. */
  #admit(slot: SearchSlot): void {
    const own = slot.open.pop();
    if (own) {
      this.#begin(slot, slot.search!, own);
      return;
    }
    for (let item = this.#queue[0]; item && !this.#isWorthWaiting(item); item = this.#queue[0]) {
      this.#queue.shift();
      const opened = item.search.begin();
      item.search.remaining = opened.length;
      item.likely = this.#options.guess === false ? [] : (item.request.likelyAnswers?.() ?? []);
      const first = opened.pop();
      if (first) {
        slot.open = opened;
        this.#begin(slot, item.search, first);
        return;
      }
      this.#finishIfDone(item.search);
    }
    const richest = best(this.#slots, ({ open }) => open.length);
    const waiting = richest.open.shift();
    if (waiting) this.#begin(slot, richest.search!, waiting);
  }

  /** Whether another slot reads the beginning of a prompt just now, so that it can be copied soon. */
  #isWorthWaiting({ search: { prompt } }: SearchItem): boolean {
    const shared = (tokens: readonly number[]) => Math.min(prompt.length - 1, commonPrefix(prompt, tokens));
    const there = Math.max(...this.#slots.map(({ cached }) => shared(cached)));
    const reading = this.#slots.filter(({ pendingPrompt }) => pendingPrompt > 0);
    const soon = Math.max(0, ...reading.map(({ search }) => shared(search!.prompt)));
    return soon - there >= WORTH_WAITING;
  }

  /** Lets a slot follow a branch; what another slot has of its beginning is copied. */
  #begin(slot: SearchSlot, search: PromptSearch, open: OpenNode, mayGuess = true): void {
    const tokens = [...search.prompt, ...tokensOf(open.node)];
    const most = tokens.length - 1; // the last token is fed in any case: its row is wanted
    const shared = ({ cached }: SearchSlot) => Math.min(most, commonPrefix(tokens, cached));
    const own = shared(slot);
    const source = own === most ? slot : best(this.#slots, shared);
    const reused = Math.max(own, shared(source));
    if (reused > own) this.#cache.copySlot(source.index, slot.index, reused, own);
    slot.begin(search, open, reused);
    if (open.node.parent === null && open.known === undefined) {
      this.#progress.reusedTokens += Math.min(reused, search.prompt.length);
    }
    if (mayGuess) this.#guess(slot);
  }

  #guess(slot: SearchSlot): void {
    if (this.#options.guess === false || slot.current === null) return;
    const { search, likely, request } = this.#itemOf.get(slot.search!)!;
    const guess = guessAfter(search.tree, slot.current.node, {
      answers: likely,
      last: search.answers.at(-1)?.tokens ?? likely[0],
      input: request.input ?? [],
      isRowEnd: this.#isRowEnd,
    });
    slot.guess(guess);
    for (const { tokens } of guess?.steps ?? []) this.#progress.guessedTokens += tokens.length;
  }

  /** One forward pass over the pending tokens of all slots. */
  async #step(): Promise<void> {
    let room = this.#options.rowsPerStep ?? 1024;
    const tokens: number[] = [];
    const slots: number[] = [];
    const positions: number[] = [];
    const reads: Read[] = [];
    // answers before prompts: a long prompt must not hold them up
    const active = this.#slots
      .filter(({ current }) => current !== null)
      .sort((a, b) => a.pendingCount - b.pendingCount);
    for (const slot of active) {
      const position = slot.cached.length;
      const fromPrompt = slot.pendingPrompt;
      const fed = slot.feed(room);
      room -= fed.length;
      this.#count(slot, fed.length, Math.min(fromPrompt, fed.length));
      for (const [i, { token, step }] of fed.entries()) {
        if (step) reads.push({ slot, step, row: tokens.length });
        tokens.push(token);
        slots.push(slot.index);
        positions.push(position + i);
      }
    }
    if (tokens.length === 0) return;
    this.#progress.steps += 1;
    const feed = [tokens, slots, positions].map((list) => Int32Array.from(list)) as [
      Int32Array,
      Int32Array,
      Int32Array,
    ];
    const hidden = withinMemory(this.#decoder, this.#cache, () =>
      this.#decoder.forwardCached(
        ...feed,
        this.#cache,
        reads.map(({ row }) => row),
      ),
    );
    try {
      const questions = reads.map(({ slot, step }) => ({
        allowed: slot.search!.tree.allowed(step),
        // a guessed node is at most as likely as the one before it
        least: slot.search!.least(slot.current!),
      }));
      const rows = reads.map(({ row }) => row);
      const found = await withinMemory(this.#decoder, this.#cache, () =>
        this.#reader.read(hidden, rows, questions),
      );
      for (const slot of active) {
        const own = [...reads.keys()].filter((i) => reads[i]!.slot === slot);
        this.#advance(
          slot,
          own.map((i) => found[i]!),
        );
      }
    } finally {
      hidden.dispose();
    }
  }

  /** Goes on in a slot with what may follow each of the nodes that were fed, in order. */
  #advance(slot: SearchSlot, found: readonly (Continuations | null)[]): void {
    const search = slot.search!;
    const fedLength = slot.cached.length;
    let isBroken = false;
    let isGuessed = true;
    for (let i = 0; i < found.length && isGuessed; i++) {
      const continuations = found[i]!;
      isBroken = continuations === null;
      if (continuations === null) break;
      isGuessed = slot.advance(continuations);
      if (isGuessed) this.#progress.acceptedTokens += slot.current!.node.tokens.length;
    }
    if (found.includes(null)) {
      // what masks hide is multiplied by 0, and 0 · NaN is NaN: in this slot nothing is to be seen again
      this.#cache.clearSlot(slot.index, fedLength);
      slot.cached.length = 0;
      // a guess may have broken the rows before it, so that only what was fed without one is lost
      if (isBroken && !slot.isGuessing) {
        search.reason = notFiniteReason(this.#decoder.keptType);
        search.remaining -= 1;
        slot.current = null;
      }
      if (slot.current) this.#begin(slot, search, slot.current, !isBroken);
    } else if (!isGuessed) this.#guess(slot);
    this.#finishIfDone(search);
  }

  #count(slot: SearchSlot, fed: number, fromPrompt: number): void {
    const { group } = this.#itemOf.get(slot.search!)!;
    group.startedAt ??= this.#now();
    group.tokens += fed;
    this.#progress.promptTokens += fromPrompt;
    this.#progress.tokens += fed - fromPrompt;
  }

  /** Keeps the result of a search that nothing is left of. */
  #finishIfDone(search: PromptSearch): void {
    const item = this.#itemOf.get(search)!;
    if (item.isDone || search.remaining > 0) return;
    item.isDone = true;
    const result = search.result();
    for (const request of item.requests) this.#results[request] = result;
    this.#progress.finished += item.requests.length;
    this.#progress.answers += item.requests.length * result.answers.length;
  }
}
