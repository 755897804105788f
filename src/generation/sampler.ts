import type { VocabularyCut } from '../models/vocabulary-cut.js';
import type * as tf from '../tensors/tf.js';

/** How tokens are drawn. */
export interface SamplingOptions {
  /** 0 takes the most likely token; 1 draws from the model's own distribution. */
  temperature: number;
  /** Draw among this many of the most likely tokens; -1 = off. */
  topK?: number;
  /** Draw among the fewest most likely tokens that together have this probability; 1 = off. */
  topP?: number;
}

/** What one row of logits is asked for. */
export interface Choice {
  /** The tokens that may be chosen; all when absent. */
  allowed?: Int32Array;
  /** A number in [0, 1) that decides the draw. Unused when the temperature is 0. */
  uniform: number;
}

/** A chosen token and its log-probability in the model's own distribution (temperature 1, all that it has). */
export interface Chosen {
  token: number;
  logProb: number;
}

/**
 * Chooses one token for each row of logits [rows, vocab]. Everything that depends on where logits live is
 * in this function: it brings them to the host; a backend with a device could choose there instead.
 * @param cut which token each column is for, where it is not the token of that id
 */
export async function chooseTokens(
  logits: tf.Tensor2D,
  choices: readonly Choice[],
  options: SamplingOptions,
  cut?: VocabularyCut,
): Promise<Chosen[]> {
  const [, width] = logits.shape;
  const values = (await logits.data()) as Float32Array;
  return choices.map(({ allowed, uniform }, row) => {
    const choice = { allowed: allowed && cut ? cut.rows(allowed) : allowed, uniform };
    const { token, logProb } = chooseToken(values.subarray(row * width, (row + 1) * width), choice, options);
    return { token: cut?.kept[token] ?? token, logProb };
  });
}

/** Chooses one token of one row of logits [vocab]. @throws when nothing is allowed or logits are NaN. */
export function chooseToken(
  logits: Float32Array,
  { allowed, uniform }: Choice,
  options: SamplingOptions,
): Chosen {
  if (allowed?.length === 0) throw new RangeError('no token is allowed');
  const token =
    options.temperature === 0 ? mostLikely(logits, allowed) : draw(logits, allowed, uniform, options);
  const logProb = logits[token]! - logSumExp(logits);
  if (Number.isNaN(logProb)) throw new Error('the model gave logits that are not numbers');
  return { token, logProb };
}

/** The allowed token with the largest logit; the lowest id among equals. */
function mostLikely(logits: Float32Array, allowed: Int32Array | undefined): number {
  const count = allowed?.length ?? logits.length;
  let best = allowed ? allowed[0]! : 0;
  for (let i = 1; i < count; i++) {
    const token = allowed ? allowed[i]! : i;
    if (logits[token]! > logits[best]!) best = token;
  }
  return best;
}

function logSumExp(logits: Float32Array): number {
  const max = logits[mostLikely(logits, undefined)]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - max);
  return max + Math.log(sum);
}

/** Draws from softmax(logits / temperature) over the allowed tokens by inverting the cumulative sum. */
function draw(
  logits: Float32Array,
  allowed: Int32Array | undefined,
  uniform: number,
  { temperature, topK = -1, topP = 1 }: SamplingOptions,
): number {
  const max = logits[mostLikely(logits, allowed)]!;
  const weight = (token: number) => Math.exp((logits[token]! - max) / temperature);
  let candidates = allowed;
  if (topK > 0) candidates = kMostLikely(logits, allowed, topK);
  if (topP < 1) candidates = nucleus(logits, candidates ?? everyToken(logits.length), topP, weight);
  const count = candidates?.length ?? logits.length;
  let total = 0;
  for (let i = 0; i < count; i++) total += weight(candidates ? candidates[i]! : i);
  let rest = uniform * total;
  let last = candidates ? candidates[0]! : 0;
  for (let i = 0; i < count; i++) {
    const token = candidates ? candidates[i]! : i;
    const w = weight(token);
    if (w > 0) last = token;
    rest -= w;
    if (rest < 0) return token;
  }
  return last;
}

function everyToken(count: number): Int32Array {
  const tokens = new Int32Array(count);
  for (let i = 0; i < count; i++) tokens[i] = i;
  return tokens;
}

/** The k allowed tokens with the largest logits, best first, in one pass: sorting a whole vocabulary takes 80 ms. */
function kMostLikely(logits: Float32Array, allowed: Int32Array | undefined, k: number): Int32Array {
  const count = allowed?.length ?? logits.length;
  const best: number[] = [];
  for (let i = 0; i < count; i++) {
    const token = allowed ? allowed[i]! : i;
    if (best.length === k && logits[token]! <= logits[best[k - 1]!]!) continue;
    let at = best.length;
    while (at > 0 && logits[best[at - 1]!]! < logits[token]!) at--;
    best.splice(at, 0, token);
    if (best.length > k) best.pop();
  }
  return Int32Array.from(best);
}

/** The fewest of the most likely tokens that hold `topP` of the weight, best first. */
function nucleus(
  logits: Float32Array,
  tokens: Int32Array,
  topP: number,
  weight: (token: number) => number,
): Int32Array {
  let total = 0;
  for (const token of tokens) total += weight(token);
  // those that are lighter hold less than the rest together: only the others need sorting
  const least = ((1 - topP) * total) / tokens.length;
  const heavy = tokens
    .filter((token) => weight(token) >= least)
    .sort((a, b) => logits[b]! - logits[a]! || a - b);
  let sum = 0;
  for (let i = 0; i < heavy.length; i++) {
    sum += weight(heavy[i]!);
    if (sum >= topP * total) return heavy.subarray(0, i + 1);
  }
  return heavy;
}
