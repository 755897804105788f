import type { Decoder } from '../models/decoder.js';
import { KvCache } from '../models/kv-cache.js';
import { advisingOnMemory } from '../tensors/memory-advice.js';

/**
 * How many positions a slot of the cache needs for the longest prompt with its answer.
 * @throws {RangeError} when a prompt is empty, or leaves no room for an answer within `maxSeqLen`
 */
export function slotLength(
  requests: readonly { readonly tokens: readonly number[] }[],
  { maxNewTokens, maxSeqLen = Infinity }: { maxNewTokens: number; maxSeqLen?: number },
): number {
  const lengths = requests.map(({ tokens }) => tokens.length);
  if (lengths.includes(0)) throw new RangeError('a prompt needs at least one token');
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  if (longest >= maxSeqLen) {
    throw new RangeError(`a prompt of ${longest} tokens leaves no room for an answer within ${maxSeqLen}`);
  }
  return Math.min(maxSeqLen, longest + maxNewTokens);
}

/** A cache for a decoder, or advice where the memory does not suffice for it. */
export function newCache(decoder: Decoder, size: Pick<KvCache, 'slots' | 'maxLength'>): KvCache {
  const { config, keptType: floatType } = decoder;
  return withinMemory(decoder, size, () => new KvCache(config, { ...size, floatType }));
}

/** Runs `f`; when the memory does not suffice, says what the answers took of it and what needs less. */
export function withinMemory<T>(
  { keptType }: Pick<Decoder, 'keptType'>,
  { slots, maxLength }: Pick<KvCache, 'slots' | 'maxLength'>,
  f: () => T,
): T {
  return advisingOnMemory(
    f,
    () => `${slots} answers of up to ${maxLength} tokens at the same time`,
    () => [
      `a lower \`batchSize\` (${slots} now) or \`maxSeqLen\``,
      ...(keptType === 'float32' ? ['`dtype: bfloat16`'] : []),
    ],
  );
}
