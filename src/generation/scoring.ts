import type { Decoder } from '../models/decoder.js';
import { packSequences } from '../models/packed-tokens.js';
import * as tf from '../tensors/tf.js';

/** A prompt with an answer to be scored; the answer ends with the end of turn. */
export interface AnsweredPrompt {
  readonly tokens: readonly number[];
  /** The first token of the answer, at least 1. */
  readonly answerStart: number;
}

/** How likely a model finds an answer. */
export interface AnswerScore {
  /** Sum over the answer's tokens, the end of turn included, in nats. */
  readonly logProb: number;
  readonly tokens: number;
}

/**
 * The log-probability of each answer after its prompt, from forward passes over packed samples: what
 * generation would report had it written these tokens. Answers do not see each other.
 * @param maxTokensPerBatch tokens of one forward pass; a longer sample gets a pass of its own
 */
export async function scoreAnswers(
  decoder: Decoder,
  prompts: readonly AnsweredPrompt[],
  {
    maxTokensPerBatch = 4096,
    onProgress,
  }: { maxTokensPerBatch?: number; onProgress?: (done: number, total: number) => void } = {},
): Promise<AnswerScore[]> {
  const scores: AnswerScore[] = [];
  for (let start = 0; start < prompts.length; ) {
    let end = start + 1;
    let total = prompts[start]!.tokens.length;
    while (end < prompts.length && total + prompts[end]!.tokens.length <= maxTokensPerBatch) {
      total += prompts[end++]!.tokens.length;
    }
    scores.push(...(await scoreBatch(decoder, prompts.slice(start, end))));
    start = end;
    onProgress?.(start, prompts.length);
  }
  return scores;
}

async function scoreBatch(decoder: Decoder, prompts: readonly AnsweredPrompt[]): Promise<AnswerScore[]> {
  const rows: number[] = [];
  const labels: number[] = [];
  let offset = 0;
  for (const { tokens, answerStart } of prompts) {
    // a token's probability is read where the one before it was fed
    for (let i = answerStart; i < tokens.length; i++) {
      rows.push(offset + i - 1);
      labels.push(tokens[i]!);
    }
    offset += tokens.length;
  }
  const logProbs = tf.tidy(() => {
    const hidden = decoder.forward(packSequences(prompts.map(({ tokens }) => tokens)));
    const selected = tf.gather(hidden, tf.tensor1d(rows, 'int32'));
    return decoder.labelLogProbs(selected, Int32Array.from(labels));
  });
  const values = await logProbs.data();
  logProbs.dispose();
  let next = 0;
  return prompts.map(({ tokens, answerStart }) => {
    const count = tokens.length - answerStart;
    let logProb = 0;
    for (let i = 0; i < count; i++) logProb += values[next++]!;
    return { logProb, tokens: count };
  });
}
