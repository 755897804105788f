import { nextTurn } from '../common/next-turn.js';
import { Rng } from '../common/rng.js';
import { DecodeGraphs } from '../models/decode-graphs.js';
import type { Decoder } from '../models/decoder.js';
import type { KvCache } from '../models/kv-cache.js';
import type { TextGrammar } from '../prompts/grammar.js';
import { notFiniteReason } from '../tensors/finite-advice.js';
import * as tf from '../tensors/tf.js';
import type { SamplingOptions } from './choice.js';
import { TokenGrammar } from './constraint.js';
import { ListNumbers } from './list-numbers.js';
import { newCache, slotLength, withinMemory } from './memory.js';
import { Sampler } from './sampler.js';
import { commonPrefix, type Sequence, Slot } from './slot.js';
import { type GenerationTokenizer, vocabularyOf } from './vocabulary.js';

/*
 * The engine:
 * - a slot is one row of the key-value cache, and holds one sequence that is decoded;
 * - every step feeds each slot the tokens that it has not fed yet (a prompt, or a part of it; one chosen
 *   token; tokens that the grammar forces) as rows of one packed forward pass, under a budget of rows;
 * - a slot whose last row was fed gets its next token from the logits of that row;
 * - a finished slot takes the next prompt at once, and does not feed the beginning that the prompt shares
 *   with one that is still in the cache (every prompt begins with the same explanation).
 */

/** A prompt and how many answers it is to get. */
export interface GenerationRequest {
  /** Ids of the prompt's tokens, ending where the answer begins. */
  tokens: readonly number[];
  samples: number;
  /** The number of the first of them, which names its random stream; 0 when absent. */
  firstSample?: number;
  /** Characters that an answer may have; anything when absent. */
  grammar?: TextGrammar;
  /** Names the random stream: the same name and seed give the same answers in any company. */
  stream: string;
}

export interface Completion {
  /** The answer's tokens, without the one that ended it. */
  tokens: number[];
  text: string;
  /**
   * Sum of the log-probabilities of the chosen tokens, the one that ended it included, in the model's own
   * distribution (temperature 1, all tokens that the decoder has, no grammar). What a grammar forces counts 0: it is no
   * choice, and every candidate for the same answer is spared alike.
   */
  logProb: number;
  /** False when the answer was cut off before a token that ends it. */
  finished: boolean;
  /** Why there is no answer: the model's numbers stopped being finite on the way. */
  reason?: string;
}

export interface GenerationProgress {
  finished: number;
  total: number;
  /** Tokens of answers so far, those that a grammar forced included. */
  tokens: number;
  /** Those of them that a grammar forced. */
  forcedTokens: number;
  /** Tokens of prompts that were fed so far, and those that were found in the cache. */
  promptTokens: number;
  reusedTokens: number;
  /** Forward passes. */
  steps: number;
  seconds: number;
}

/** Of a generation that has not begun. */
export const noProgress = (total: number): GenerationProgress => ({
  finished: 0,
  total,
  tokens: 0,
  forcedTokens: 0,
  promptTokens: 0,
  reusedTokens: 0,
  steps: 0,
  seconds: 0,
});

export interface GenerateOptions extends SamplingOptions {
  /** The most tokens of one answer. */
  maxNewTokens: number;
  seed: number;
  /** Sequences decoded in parallel. */
  batchSize?: number;
  /** The longest prompt and answer together, in tokens; no limit when absent. */
  maxSeqLen?: number;
  /** The most rows of one forward pass. */
  rowsPerStep?: number;
  onProgress?: (progress: GenerationProgress) => void;
  /** Told every answer as soon as it is there: which request, which of its samples. */
  onAnswer?: (request: number, sample: number, completion: Completion) => void;
  /** When aborted, generation ends after a forward pass: the promise is rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Copying a shared beginning is worth a step's wait from this many tokens on. */
export const WORTH_WAITING = 64;

/**
 * Answers every request, `samples` times each. An answer depends on the model, the prompt, the seed and the
 * stream's name only: not on the batch size, nor on the other requests and their order.
 * @throws {RangeError} when a prompt leaves no room for an answer within `maxSeqLen`.
 */
export async function generate(
  decoder: Decoder,
  tokenizer: GenerationTokenizer,
  requests: readonly GenerationRequest[],
  options: GenerateOptions,
): Promise<Completion[][]> {
  const { batchSize = 8 } = options;
  const maxLength = slotLength(requests, options);
  const sequences = makeSequences(requests, tokenizer, options);
  if (sequences.length === 0) return requests.map(() => []);
  const cache = newCache(decoder, { slots: Math.min(batchSize, sequences.length), maxLength });
  const graphs = DecodeGraphs.for(decoder, cache);
  try {
    const engine = new BatchEngine(decoder, tokenizer, cache, sequences, requests.length, options, graphs);
    return await engine.run();
  } finally {
    graphs?.dispose();
    cache.dispose();
  }
}

/** The answers to be made, the longest prompts first: a cache that is too small is found at once. */
function makeSequences(
  requests: readonly GenerationRequest[],
  tokenizer: GenerationTokenizer,
  { temperature, seed }: GenerateOptions,
): Sequence[] {
  const grammars = new Map<TextGrammar, TokenGrammar>();
  const numberOf = (grammar?: TextGrammar) => (grammar ? [...grammars.keys()].indexOf(grammar) : -1);
  for (const { grammar } of requests) {
    if (grammar && !grammars.has(grammar)) {
      grammars.set(grammar, new TokenGrammar(grammar, vocabularyOf(tokenizer), tokenizer));
    }
  }
  const prompts = new ListNumbers();
  const sequences = new Map<string, Sequence & { wanted: { request: number; sample: number }[] }>();
  for (const [request, { tokens, samples, firstSample = 0, grammar, stream }] of requests.entries()) {
    // greedy answers to one prompt are all the same: one sequence makes them
    const prompt = temperature === 0 ? `${prompts.of(tokens)}/${numberOf(grammar)}` : `${request}`;
    for (let sample = 0; sample < samples; sample++) {
      const key = temperature === 0 ? prompt : `${prompt}/${sample}`;
      const known = sequences.get(key);
      if (known) known.wanted.push({ request, sample });
      else {
        const rng = Rng.of(seed, 'generate', stream, firstSample + sample);
        const wanted = [{ request, sample }];
        sequences.set(key, { wanted, prompt: tokens, grammar: grammar && grammars.get(grammar), rng });
      }
    }
  }
  return [...sequences.values()].sort((a, b) => b.prompt.length - a.prompt.length);
}

/** Tokens, their slots and their positions. */
type Fed = [tokens: Int32Array, slots: Int32Array, positions: Int32Array];

class BatchEngine {
  readonly #decoder: Decoder;
  readonly #tokenizer: GenerationTokenizer;
  readonly #cache: KvCache;
  readonly #queue: Sequence[];
  readonly #slots: Slot[];
  readonly #results: Completion[][];
  readonly #options: GenerateOptions;
  readonly #sampler: Sampler;
  readonly #graphs: DecodeGraphs | undefined;
  readonly #progress: GenerationProgress;
  readonly #started = performance.now();

  constructor(
    decoder: Decoder,
    tokenizer: GenerationTokenizer,
    cache: KvCache,
    sequences: Sequence[],
    requestCount: number,
    options: GenerateOptions,
    graphs: DecodeGraphs | undefined,
  ) {
    this.#graphs = graphs;
    this.#decoder = decoder;
    this.#tokenizer = tokenizer;
    this.#cache = cache;
    this.#queue = sequences;
    this.#slots = Array.from({ length: cache.slots }, (_, index) => new Slot(index));
    this.#results = Array.from({ length: requestCount }, () => []);
    this.#options = options;
    this.#sampler = new Sampler(options, decoder.cut);
    const total = sequences.reduce((sum, { wanted }) => sum + wanted.length, 0);
    this.#progress = noProgress(total);
  }

  async run(): Promise<Completion[][]> {
    while (this.#progress.finished < this.#progress.total) {
      this.#options.signal?.throwIfAborted();
      this.#admit();
      await this.#step();
      this.#progress.seconds = (performance.now() - this.#started) / 1000;
      this.#options.onProgress?.({ ...this.#progress });
      await nextTurn(); // lets signals and messages be handled
    }
    return this.#results;
  }

  /** Gives free slots their next sequences. */
  #admit(): void {
    const { maxNewTokens } = this.#options;
    for (;;) {
      const sequence = this.#queue[0];
      const free = this.#slots.filter((slot) => slot.sequence === null);
      if (!sequence || free.length === 0) return;
      const most = sequence.prompt.length - 1; // the last token is fed in any case: the answer begins from its row
      const shared = (slot: Slot) => Math.min(most, commonPrefix(sequence.prompt, slot.cached));
      const source = best(this.#slots, shared);
      const soon = Math.max(
        0,
        ...this.#slots.map((slot) =>
          slot.prefilling ? commonPrefix(sequence.prompt, slot.sequence!.prompt) : 0,
        ),
      );
      if (Math.min(most, soon) - shared(source) >= WORTH_WAITING) return;
      this.#queue.shift();
      const reused = shared(source);
      const slot = best(free, shared);
      if (shared(slot) < reused) this.#cache.copySlot(source.index, slot.index, reused);
      this.#progress.reusedTokens += reused;
      const limit = Math.min(maxNewTokens, this.#cache.maxLength - sequence.prompt.length);
      this.#settle(slot, slot.begin(sequence, reused, limit));
    }
  }

  /** One forward pass over the pending tokens of all slots. */
  async #step(): Promise<void> {
    let room = this.#options.rowsPerStep ?? 1024;
    const tokens: number[] = [];
    const slots: number[] = [];
    const positions: number[] = [];
    const ready: { slot: Slot; row: number }[] = [];
    // answers before prompts: a long prompt must not hold them up
    const active = this.#slots
      .filter((slot) => slot.sequence !== null)
      .sort((a, b) => a.pending.length - b.pending.length);
    for (const slot of active) {
      if (room === 0) break;
      const position = slot.cached.length;
      const fromPrompt = Math.max(0, slot.sequence!.prompt.length - position);
      const fed = slot.feed(room);
      room -= fed.length;
      this.#progress.promptTokens += Math.min(fromPrompt, fed.length);
      for (let i = 0; i < fed.length; i++) {
        tokens.push(fed[i]!);
        slots.push(slot.index);
        positions.push(position + i);
      }
      if (slot.pending.length === 0) ready.push({ slot, row: tokens.length - 1 });
    }
    if (tokens.length === 0) return;
    this.#progress.steps += 1;
    const rows = ready.map(({ row }) => row);
    const fed = [tokens, slots, positions].map((list) => Int32Array.from(list)) as Fed;
    const pass = (): tf.Tensor2D => {
      // one token for each sequence, and each is asked
      const logits =
        rows.length === active.length && rows.length === tokens.length && this.#graphs?.logits(...fed);
      if (logits) return logits;
      const hidden = this.#decoder.forwardCached(...fed, this.#cache, rows);
      // in the middle of long prompts there is nothing to choose yet
      if (rows.length === 0) return hidden;
      return this.#decoder.logits(
        rows.length === tokens.length ? hidden : tf.gather(hidden, tf.tensor1d(rows, 'int32')),
        this.#cache,
      );
    };
    const output = withinMemory(this.#decoder, this.#cache, () => tf.tidy(pass));
    try {
      if (rows.length === 0) return;
      const choices = ready.map(({ slot }) => slot.choice());
      const chosen = await withinMemory(this.#decoder, this.#cache, () =>
        this.#sampler.choose(output, choices),
      );
      for (const [i, { slot }] of ready.entries()) {
        const token = chosen[i];
        if (token) this.#settle(slot, slot.accept(token, this.#tokenizer.stopIds));
        else {
          // what masks hide is multiplied by 0, and 0 · NaN is NaN
          this.#cache.clearSlot(slot.index, slot.cached.length);
          this.#settle(slot, slot.fail());
        }
      }
    } finally {
      output.dispose();
    }
  }

  /** Keeps the answer of a slot that is done, and frees the slot. */
  #settle(slot: Slot, outcome: 'finished' | 'cut' | 'failed' | 'continue'): void {
    if (outcome === 'continue') return;
    const { sequence, answer, logProb } = slot;
    const failed = outcome === 'failed' ? { reason: notFiniteReason(this.#decoder.keptType) } : {};
    const text = this.#tokenizer.decode(answer);
    for (const { request, sample } of sequence!.wanted) {
      const completion = { tokens: [...answer], text, logProb, finished: outcome === 'finished', ...failed };
      this.#results[request]![sample] = completion;
      this.#options.onAnswer?.(request, sample, completion);
    }
    this.#progress.finished += sequence!.wanted.length;
    this.#progress.tokens += answer.length;
    this.#progress.forcedTokens += Math.min(slot.forced, answer.length);
    slot.sequence = null;
    slot.pending = [];
  }
}

/** The item with the highest score, the first among equals. */
export function best<T>(items: readonly T[], score: (item: T) => number): T {
  return items.reduce((a, b) => (score(b) > score(a) ? b : a));
}
