import type { Decoder } from '../../src/models/decoder.js';
import { packSequences } from '../../src/models/packed-tokens.js';
import * as tf from '../../src/tensors/tf.js';

/** A prompt with one answer; the answer ends with the end of turn. */
export interface AnsweredPrompt {
  readonly tokens: readonly number[];
  /** The first token of the answer, at least 1. */
  readonly answerStart: number;
}

/**
 * The log-probability of each answer, in nats, from whole prompts with one answer each, packed into forward passes
 * without a cache: what scores are compared with.
 * @param stopIds any of which ends an answer: the most likely counts
 */
export async function scoreOneByOne(
  decoder: Decoder,
  prompts: readonly AnsweredPrompt[],
  {
    maxTokensPerBatch = 4096,
    stopIds = [],
  }: { maxTokensPerBatch?: number; stopIds?: readonly number[] } = {},
): Promise<number[]> {
  const scores: number[] = [];
  for (let start = 0; start < prompts.length; ) {
    let end = start + 1;
    let total = prompts[start]!.tokens.length;
    while (end < prompts.length && total + prompts[end]!.tokens.length <= maxTokensPerBatch) {
      total += prompts[end++]!.tokens.length;
    }
    scores.push(...(await scoreBatch(decoder, prompts.slice(start, end), stopIds)));
    start = end;
  }
  return scores;
}

async function scoreBatch(
  decoder: Decoder,
  prompts: readonly AnsweredPrompt[],
  stopIds: readonly number[],
): Promise<number[]> {
  // a token's probability is read where the one before it was fed
  const labels: { row: number; label: number; prompt: number; isEnd: boolean }[] = [];
  let offset = 0;
  for (const [prompt, { tokens, answerStart }] of prompts.entries()) {
    for (let i = answerStart; i < tokens.length; i++) {
      const isEnd = i === tokens.length - 1 && stopIds.includes(tokens[i]!);
      for (const label of isEnd ? stopIds : [tokens[i]!]) {
        labels.push({ row: offset + i - 1, label, prompt, isEnd });
      }
    }
    offset += tokens.length;
  }
  const logProbs = tf.tidy(() => {
    const hidden = decoder.forward(packSequences(prompts.map(({ tokens }) => tokens)));
    const rows = tf.tensor1d(
      labels.map(({ row }) => row),
      'int32',
    );
    return decoder.labelLogProbs(
      tf.gather(hidden, rows),
      Int32Array.from(labels, ({ label }) => label),
    );
  });
  const values = await logProbs.data();
  logProbs.dispose();
  const sums = prompts.map(() => 0);
  const ends = prompts.map(() => Number.NEGATIVE_INFINITY);
  for (const [i, { prompt, isEnd }] of labels.entries()) {
    if (isEnd) ends[prompt] = Math.max(ends[prompt]!, values[i]!);
    else sums[prompt]! += values[i]!;
  }
  return sums.map((sum, i) => sum + (ends[i] === Number.NEGATIVE_INFINITY ? 0 : ends[i]!));
}
