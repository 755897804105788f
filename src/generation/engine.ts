import { setImmediate as turn } from 'node:timers/promises';
import { Rng } from '../common/rng.js';
import type { Decoder } from '../models/decoder.js';
import { KvCache } from '../models/kv-cache.js';
import type { TextGrammar } from '../prompts/grammar.js';
import { advisingOnMemory } from '../tensors/memory-advice.js';
import * as tf from '../tensors/tf.js';
import type { SamplingOptions } from './choice.js';
import { TokenGrammar } from './constraint.js';
import { Sampler } from './sampler.js';
import { commonPrefix, type Job, Slot } from './slot.js';
import { type GenerationTokenizer, VocabularyTrie } from './vocabulary.js';

/*
 * The engine:
 * - a slot is one row of the key-value cache, and holds one answer in the making;
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
  /** Characters that an answer may have; anything when absent. */
  grammar?: TextGrammar;
  /** Names the random stream: the same name and seed give the same answers in any company. */
  stream: string;
}

export interface Completion {
  /** The answer's tokens, without the end of turn. */
  tokens: number[];
  text: string;
  /**
   * Sum of the log-probabilities of the chosen tokens, the end of turn included, in the model's own
   * distribution (temperature 1, all tokens that the decoder has, no grammar). What a grammar forces counts 0: it is no
   * choice, and every candidate for the same answer is spared alike.
   */
  logProb: number;
  /** False when the answer was cut off before the end of turn. */
  finished: boolean;
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

export interface GenerateOptions extends SamplingOptions {
  /** The most tokens of one answer. */
  maxNewTokens: number;
  seed: number;
  /** Answers in the making at the same time. */
  batchSize?: number;
  /** The longest prompt and answer together, in tokens; no limit when absent. */
  maxSeqLen?: number;
  /** The most rows of one forward pass. */
  rowsPerStep?: number;
  onProgress?: (progress: GenerationProgress) => void;
  /** Told every answer as soon as it is there: which request, which of its samples. */
  onAnswer?: (request: number, sample: number, completion: Completion) => void;
}

/** Copying a shared beginning is worth a step's wait from this many tokens on. */
const WORTH_WAITING = 64;

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
  const { maxNewTokens, maxSeqLen = Infinity, batchSize = 8 } = options;
  const lengths = requests.map(({ tokens }) => tokens.length);
  if (lengths.includes(0)) throw new RangeError('a prompt needs at least one token');
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  if (longest >= maxSeqLen) {
    throw new RangeError(`a prompt of ${longest} tokens leaves no room for an answer within ${maxSeqLen}`);
  }
  const jobs = makeJobs(requests, tokenizer, options);
  if (jobs.length === 0) return requests.map(() => []);
  const slots = Math.min(batchSize, jobs.length);
  const maxLength = Math.min(maxSeqLen, longest + maxNewTokens);
  const cache = withinMemory(decoder, { slots, maxLength }, () => {
    return new KvCache(decoder.config, { slots, maxLength, floatType: decoder.floatType });
  });
  try {
    return await new Engine(decoder, tokenizer, cache, jobs, requests.length, options).run();
  } finally {
    cache.dispose();
  }
}

/** The answers to be made, the longest prompts first: a cache that is too small is found at once. */
function makeJobs(
  requests: readonly GenerationRequest[],
  tokenizer: GenerationTokenizer,
  { temperature, seed }: GenerateOptions,
): Job[] {
  const grammars = new Map<TextGrammar, TokenGrammar>();
  for (const { grammar } of requests) {
    if (grammar && !grammars.has(grammar)) {
      grammars.set(grammar, new TokenGrammar(grammar, vocabularyOf(tokenizer), tokenizer));
    }
  }
  return requests
    .flatMap(({ tokens, samples, grammar, stream }, request) => {
      const all = Array.from({ length: samples }, (_, sample) => sample);
      // greedy answers to one prompt are all the same: one job makes them
      const groups = temperature === 0 ? (samples > 0 ? [all] : []) : all.map((sample) => [sample]);
      return groups.map((group) => ({
        request,
        samples: group,
        prompt: tokens,
        grammar: grammar && grammars.get(grammar),
        rng: Rng.of(seed, 'generate', stream, group[0]!),
      }));
    })
    .sort((a, b) => b.prompt.length - a.prompt.length);
}

const vocabularies = new WeakMap<object, VocabularyTrie>();

/** The tokenizer's vocabulary as a trie, built once for each tokenizer. */
function vocabularyOf(tokenizer: GenerationTokenizer): VocabularyTrie {
  let vocabulary = vocabularies.get(tokenizer);
  if (!vocabulary) {
    vocabulary = new VocabularyTrie(tokenizer);
    vocabularies.set(tokenizer, vocabulary);
  }
  return vocabulary;
}

class Engine {
  readonly #decoder: Decoder;
  readonly #tokenizer: GenerationTokenizer;
  readonly #cache: KvCache;
  readonly #queue: Job[];
  readonly #slots: Slot[];
  readonly #results: Completion[][];
  readonly #options: GenerateOptions;
  readonly #sampler: Sampler;
  readonly #progress: GenerationProgress;
  readonly #started = performance.now();

  constructor(
    decoder: Decoder,
    tokenizer: GenerationTokenizer,
    cache: KvCache,
    jobs: Job[],
    requestCount: number,
    options: GenerateOptions,
  ) {
    this.#decoder = decoder;
    this.#tokenizer = tokenizer;
    this.#cache = cache;
    this.#queue = jobs;
    this.#slots = Array.from({ length: cache.slots }, (_, index) => new Slot(index));
    this.#results = Array.from({ length: requestCount }, () => []);
    this.#options = options;
    this.#sampler = new Sampler(options, decoder.cut);
    const total = jobs.reduce((sum, { samples }) => sum + samples.length, 0);
    this.#progress = {
      finished: 0,
      total,
      tokens: 0,
      forcedTokens: 0,
      promptTokens: 0,
      reusedTokens: 0,
      steps: 0,
      seconds: 0,
    };
  }

  async run(): Promise<Completion[][]> {
    while (this.#progress.finished < this.#progress.total) {
      this.#admit();
      await this.#step();
      this.#progress.seconds = (performance.now() - this.#started) / 1000;
      this.#options.onProgress?.({ ...this.#progress });
      await turn(); // lets signals and messages get a word in
    }
    return this.#results;
  }

  /** Gives free slots their next jobs. */
  #admit(): void {
    const { maxNewTokens } = this.#options;
    for (;;) {
      const job = this.#queue[0];
      const free = this.#slots.filter((slot) => slot.job === null);
      if (!job || free.length === 0) return;
      const most = job.prompt.length - 1; // the last token is fed in any case: the answer begins from its row
      const shared = (slot: Slot) => Math.min(most, commonPrefix(job.prompt, slot.cached));
      const source = best(this.#slots, shared);
      const soon = Math.max(
        0,
        ...this.#slots.map((slot) => (slot.prefilling ? commonPrefix(job.prompt, slot.job!.prompt) : 0)),
      );
      if (Math.min(most, soon) - shared(source) >= WORTH_WAITING) return;
      this.#queue.shift();
      const reused = shared(source);
      const slot = best(free, shared);
      if (shared(slot) < reused) this.#cache.copySlot(source.index, slot.index, reused);
      this.#progress.reusedTokens += reused;
      const limit = Math.min(maxNewTokens, this.#cache.maxLength - job.prompt.length);
      this.#settle(slot, slot.begin(job, reused, limit));
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
      .filter((slot) => slot.job !== null)
      .sort((a, b) => a.pending.length - b.pending.length);
    for (const slot of active) {
      if (room === 0) break;
      const position = slot.cached.length;
      const fromPrompt = Math.max(0, slot.job!.prompt.length - position);
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
    const pass = (): tf.Tensor2D => {
      const hidden = this.#decoder.forwardCached(
        Int32Array.from(tokens),
        Int32Array.from(slots),
        Int32Array.from(positions),
        this.#cache,
      );
      // in the middle of long prompts there is nothing to choose yet
      if (rows.length === 0) return hidden;
      return this.#decoder.logits(
        rows.length === tokens.length ? hidden : tf.gather(hidden, tf.tensor1d(rows, 'int32')),
      );
    };
    const output = withinMemory(this.#decoder, this.#cache, () => tf.tidy(pass));
    try {
      if (rows.length === 0) return;
      const choices = ready.map(({ slot }) => slot.choice());
      const chosen = await this.#sampler.choose(output, choices);
      for (const [i, { slot }] of ready.entries()) {
        this.#settle(slot, slot.accept(chosen[i]!, this.#tokenizer.endOfTurnId));
      }
    } finally {
      output.dispose();
    }
  }

  /** Keeps the answer of a slot that is done, and frees the slot. */
  #settle(slot: Slot, outcome: 'finished' | 'cut' | 'continue'): void {
    if (outcome === 'continue') return;
    const { job, answer, logProb } = slot;
    const text = this.#tokenizer.decode(answer);
    for (const sample of job!.samples) {
      const completion = { tokens: [...answer], text, logProb, finished: outcome === 'finished' };
      this.#results[job!.request]![sample] = completion;
      this.#options.onAnswer?.(job!.request, sample, completion);
    }
    this.#progress.finished += job!.samples.length;
    this.#progress.tokens += answer.length;
    this.#progress.forcedTokens += Math.min(slot.forced, answer.length);
    slot.job = null;
    slot.pending = [];
  }
}

/** Runs `f`; when the memory does not suffice, says what the answers took of it and what needs less. */
function withinMemory<T>(
  { floatType }: Pick<Decoder, 'floatType'>,
  { slots, maxLength }: Pick<KvCache, 'slots' | 'maxLength'>,
  f: () => T,
): T {
  return advisingOnMemory(
    f,
    () => `${slots} answers of up to ${maxLength} tokens at the same time`,
    () => [
      `a lower --batch_size (${slots} now) or --max_seq_len`,
      ...(floatType === 'float32' ? ['--torch_dtype bfloat16'] : []),
    ],
  );
}

/** The item with the highest score, the first among equals. */
function best<T>(items: readonly T[], score: (item: T) => number): T {
  return items.reduce((a, b) => (score(b) > score(a) ? b : a));
}
