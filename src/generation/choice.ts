/** How tokens are drawn. */
export interface SamplingOptions {
  /** 0 takes the most likely token; 1 draws from the model's own distribution. */
  temperature: number;
  /** Draw among this many of the most likely tokens; -1 = off. */
  topK?: number;
  /** Draw among the fewest most likely tokens that together have this probability; 1 = off. */
  topP?: number;
}

/**
 * Chooses among candidates by their logits: the index of the most likely one at temperature 0 (the first among
 * equals), else a draw that `uniform` in [0, 1) decides. Candidates are many or few, in any order.
 */
export function pick(
  logits: Float32Array,
  uniform: number,
  { temperature, topK = -1, topP = 1 }: SamplingOptions,
): number {
  if (temperature === 0) return mostLikely(logits);
  if (topK <= 0 && topP >= 1) return draw(logits, uniform, temperature);
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
  let best = Float32Array.from(topK > 0 ? order.slice(0, topK) : order, (i) => logits[i]!);
  const total = logSumExp(best, temperature);
  if (topP < 1) best = best.subarray(0, nucleus(best, temperature, topP, total) ?? best.length);
  return order[draw(best, uniform, temperature)]!;
}

/**
 * How many of the logits, which descend, have together the part `topP` of all weight; null when they do not.
 * @param logTotal log of the sum of exp(logit / temperature) over all tokens
 */
export function nucleus(
  logits: Float32Array,
  temperature: number,
  topP: number,
  logTotal: number,
): number | null {
  let held = 0;
  for (let i = 0; i < logits.length; i++) {
    held += Math.exp(logits[i]! / temperature - logTotal);
    if (held >= topP) return i + 1;
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
