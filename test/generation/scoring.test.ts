import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate } from '../../src/generation/engine.js';
import { scoreAnswers } from '../../src/generation/scoring.js';
import type { Decoder } from '../../src/models/decoder.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { tinyDecoder, tinyTokenizer } from './tiny.js';

const { endOfTurnId } = tinyTokenizer;
let decoder: Decoder;

beforeAll(async () => {
  await initBackend('wasm');
  decoder = tinyDecoder(4);
});
afterAll(() => decoder.dispose());

describe('scoreAnswers', () => {
  it('finds generated answers as likely as generation did, however they are packed', async () => {
    const requests = [3, 9, 5].map((length, i) => ({
      tokens: Array.from({ length }, (_, j) => (7 * i + 3 * j) % 20),
      samples: 2,
      stream: `${i}`,
    }));
    const results = await generate(decoder, tinyTokenizer, requests, {
      maxNewTokens: 8,
      temperature: 1,
      seed: 1,
    });
    const completions = results.flat();
    const prompts = completions.map(({ tokens, finished }, i) => {
      const prompt = requests[Math.floor(i / 2)]!.tokens;
      return {
        tokens: [...prompt, ...tokens, ...(finished ? [endOfTurnId] : [])],
        answerStart: prompt.length,
      };
    });
    for (const maxTokensPerBatch of [1, 30, 4096]) {
      const scores = await scoreAnswers(decoder, prompts, { maxTokensPerBatch });
      for (const [i, { logProb, tokens }] of scores.entries()) {
        expect(logProb).toBeCloseTo(completions[i]!.logProb, 3);
        expect(tokens).toBe(prompts[i]!.tokens.length - prompts[i]!.answerStart);
      }
    }
  });

  it('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await scoreAnswers(decoder, [{ tokens: [1, 2, 3], answerStart: 1 }]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
