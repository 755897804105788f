import type { decodingOptions } from '../options/decoding.js';
import type { OptionsOf } from '../options/table.js';

/** How tokens are drawn: of the options of decoding those that choose. */
export type SamplingOptions = OptionsOf<typeof decodingOptions> & { temperature: number };

/** Whether tokens that have some probability may be left out of a draw for their small share of it. */
export const isLimited = ({ topP = 1, minP = 0 }: SamplingOptions): boolean => topP < 1 || minP > 0;

/**
 * Chooses among candidates by their logits: the index of the most likely one at temperature 0 (the first among
 * equals), else a draw that `uniform` in [0, 1) decides. Candidates are many or few, in any order.
 */
export function pickToken(logits: Float32Array, uniform: number, options: SamplingOptions): number {
  const { temperature, topK = -1 } = options;
  if (temperature === 0) return mostLikely(logits);
  if (topK <= 0 && !isLimited(options)) return draw(logits, uniform, temperature);
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
  let best = Float32Array.from(topK > 0 ? order.slice(0, topK) : order, (i) => logits[i]!);
  best = best.subarray(0, keptCount(best, options, logSumExp(best, temperature)) ?? best.length);
  return order[draw(best, uniform, temperature)]!;
}

/**
 * How many of the logits, which descend, may be drawn; null when the limits keep more than these.
 * @param logTotal log of the sum of exp(logit / temperature) over all tokens
 */
export function keptCount(
  logits: Float32Array,
  { temperature, topP = 1, minP = 0 }: SamplingOptions,
  logTotal: number,
): number | null {
  // as transformers does: relative to the most likely token, at this temperature
  const least = logits[0]! + temperature * Math.log(minP);
  let held = 0;
  for (let i = 0; i < logits.length; i++) {
    if (logits[i]! < least) return i;
    held += Math.exp(logits[i]! / temperature - logTotal);
    if (topP < 1 && held >= topP) return i + 1;
  }
  return null;
}

/**
 * The first index at which the cumulative sum of weights exceeds `target`, and what is left of it there. The last
 * one with a weight if none does, which is a matter of rounding.
 */
export function pickWeight(weights: ArrayLike<number>, target: number): { at: number; rest: number } {
  let rest = target;
  let last = { at: 0, rest: target };
  for (let at = 0; at < weights.length; at++) {
    const weight = weights[at]!;
    if (weight > 0) last = { at, rest };
    if (rest < weight) return { at, rest };
    rest -= weight;
  }
  return last;
}

/** Draws from softmax(logits / temperature) by inverting the cumulative sum. */
function draw(logits: Float32Array, uniform: number, temperature: number): number {
  const max = logits[mostLikely(logits)]!;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - max) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return pickWeight(weights, uniform * total).at;
}

function mostLikely(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/** log of the sum of exp(logit / temperature). */
function logSumExp(logits: Float32Array, temperature: number): number {
  const max = logits[mostLikely(logits)]!;
  let sum = 0;
  for (const logit of logits) sum += Math.exp((logit - max) / temperature);
  return max / temperature + Math.log(sum);
}
