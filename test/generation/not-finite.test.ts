/** Prompts with a token whose embedding is not finite, in the company of others: only they stay without an answer. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { generate } from '../../src/generation/engine.js';
import { scoreAnswers } from '../../src/generation/scoring.js';
import { searchAnswers } from '../../src/generation/search/search.js';
import { initBackend } from '../../src/tensors/backend.js';
import { backendsUnderTest, openBackends } from '../prerequisites/index.js';
import { tinyDecoder, tinyTokenizer } from './tiny.js';

const bad = 3;
/** A decoder for which the token {@link bad} is infinite, or one for which it is not. */
const makeDecoder = (broken: boolean) =>
  tinyDecoder(2, (name, values) => {
    if (broken && name === 'model.embed_tokens.weight') values.fill(Infinity, bad * 16, (bad + 1) * 16);
  });
const sound = Array.from({ length: tinyTokenizer.vocabSize - 1 }, (_, id) => id).filter((id) => id !== bad);

describe.each(openBackends(['cpu', ...backendsUnderTest({ awaited: true })]))('on backend %s', (backend) => {
  beforeAll(() => initBackend(backend));
  // a driver in software takes a tenth of a second for a step: fewer prompts, all kinds of them, and one batch size
  const isSlow = backend === 'webgpu';
  const timeout = isSlow ? 120_000 : 30_000;

  it('an answer that cannot be computed is left out, and the others are as they are alone', {
    timeout,
  }, async () => {
    const rng = Rng.of(1, 'prompts');
    // long and short ones take turns in the slots, so that what a broken one leaves behind would be met
    const requests = Array.from({ length: isSlow ? 6 : 16 }, (_, i) => {
      const tokens = Array.from({ length: i % 2 === 0 ? 40 : 6 }, () => rng.pick(sound));
      if (i % 4 === 0) tokens[5] = bad;
      return { tokens, samples: 1, stream: `${i}` };
    });
    const run = async (broken: boolean, batchSize: number, temperature: number) => {
      const decoder = makeDecoder(broken);
      const options = { maxNewTokens: isSlow ? 3 : 8, temperature, seed: 4, batchSize };
      const results = await generate(decoder, tinyTokenizer, requests, options);
      decoder.dispose();
      return results.map(([first]) => first!);
    };
    for (const temperature of isSlow ? [0] : [0, 1]) {
      const expected = await run(false, 1, temperature);
      // an answer may itself contain the token
      const affected = (i: number) => i % 4 === 0 || expected[i]!.tokens.slice(0, -1).includes(bad);
      for (const batchSize of isSlow ? [3] : [1, 3, 8]) {
        for (const [i, completion] of (await run(true, batchSize, temperature)).entries()) {
          if (affected(i)) {
            expect(completion).toMatchObject({
              finished: false,
              reason: "the model's numbers are not finite in float32",
            });
          } else {
            const { logProb, ...rest } = expected[i]!;
            expect(completion).toEqual({ ...rest, logProb: expect.closeTo(logProb, 3) });
          }
        }
      }
    }
  });

  it('a search loses what cannot be computed, and nothing else', { timeout }, async () => {
    const rng = Rng.of(1, 'prompts');
    const requests = Array.from({ length: isSlow ? 4 : 6 }, (_, i) => {
      const tokens = Array.from({ length: i % 2 === 0 ? 40 : 6 }, () => rng.pick(sound));
      if (i % 3 === 0) tokens[5] = bad;
      // a guess that is fed behind what is right
      return {
        tokens,
        likelyAnswers: () => [
          [bad, bad],
          [5, bad, 7],
        ],
      };
    });
    const run = async (broken: boolean, batchSize: number) => {
      const decoder = makeDecoder(broken);
      const options = { maxNewTokens: isSlow ? 2 : 4, threshold: 0.01, batchSize };
      const results = await searchAnswers(decoder, tinyTokenizer, requests, options);
      decoder.dispose();
      return results;
    };
    const reference = await run(false, 1);
    for (const batchSize of isSlow ? [3] : [1, 3]) {
      for (const [i, { answers, reason }] of (await run(true, batchSize)).entries()) {
        const kept = reference[i]!.answers.filter(({ tokens }) => i % 3 !== 0 && !tokens.includes(bad));
        expect(answers.map(({ text }) => text)).toEqual(kept.map(({ text }) => text));
        if (i % 3 === 0) expect(reason).toBe("the model's numbers are not finite in float32");
      }
    }
  });

  it('a score that cannot be computed is no number, and the others are as they are alone', {
    timeout,
  }, async () => {
    const end = tinyTokenizer.stopIds[0]!;
    const asked = [
      { prompt: [1, 2], answers: [[4, 5, end]] },
      { prompt: [1, bad], answers: [[4, 5, end], [end]] },
      // the second of these is lost, and the third is fed after it
      {
        prompt: [2, 2, 4],
        answers: [
          [6, 7, end],
          [6, bad, 8, end],
          [6, 8, 9, end],
          [bad, end],
        ],
      },
      { prompt: [2, 5], answers: [[6, end]] },
    ];
    const [whole, broken] = [makeDecoder(false), makeDecoder(true)];
    // all at once, and one prompt after the other in the same slot
    for (const maxTokensPerBatch of isSlow ? [4096] : [4096, 1]) {
      const expected = await scoreAnswers(whole, tinyTokenizer, asked, { maxTokensPerBatch });
      const scores = await scoreAnswers(broken, tinyTokenizer, asked, { maxTokensPerBatch });
      const lost = [[false], [true, true], [false, true, false, true], [false]];
      expect(scores.map((list) => list.map(({ logProb }) => Number.isNaN(logProb)))).toEqual(lost);
      for (const [i, list] of scores.entries()) {
        for (const [j, { logProb }] of list.entries()) {
          if (!lost[i]![j]) expect(logProb).toBeCloseTo(expected[i]![j]!.logProb, 4);
        }
      }
    }
    whole.dispose();
    broken.dispose();
  });
});
