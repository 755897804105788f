import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import {
  type GenerateOptions,
  type GenerationProgress,
  type GenerationRequest,
  generate,
} from '../../src/generation/engine.js';
import type { Decoder } from '../../src/models/decoder.js';
import { packSequences } from '../../src/models/packed-tokens.js';
import { parseGridEncoder } from '../../src/prompts/index.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { limited, tinyDecoder, tinyTokenizer } from './tiny.js';

const { vocabSize } = tinyTokenizer;
const endOfTurnId = tinyTokenizer.stopIds[0]!;
let decoder: Decoder;

beforeAll(async () => {
  await initBackend('wasm');
  decoder = tinyDecoder(1);
});
afterAll(() => decoder.dispose());

/** Prompts of different lengths; from the second on they share a beginning. */
function makeRequests(count: number, { samples = 1, shared = 0 } = {}): GenerationRequest[] {
  const rng = Rng.of(3, 'prompts');
  const random = (length: number) => Array.from({ length }, () => rng.int(0, vocabSize - 2));
  const beginning = random(shared);
  return Array.from({ length: count }, (_, i) => ({
    tokens: [...beginning, ...random(rng.int(1, 25))],
    samples,
    stream: `request-${i}`,
  }));
}

const sampling: GenerateOptions = { maxNewTokens: 24, temperature: 1, seed: 5 };
const greedy: GenerateOptions = { ...sampling, temperature: 0 };

/** Log-probabilities of the next token after a sequence, from a forward pass without a cache: [vocab]. */
function nextLogProbs(tokens: readonly number[], of = decoder): Float32Array {
  return tf.tidy(() => {
    const hidden = of.forward(packSequences([tokens]));
    const last = tf.slice(hidden, [tokens.length - 1, 0], [1, -1]) as tf.Tensor2D;
    return tf.logSoftmax(of.logits(last)).dataSync() as Float32Array;
  });
}

describe('generate', () => {
  it.each([
    ['full attention', {}],
    ['windows and caps', limited],
  ])('is the argmax of full forward passes when greedy, with %s', async (_, features) => {
    const decoder = tinyDecoder(1, undefined, undefined, features);
    const requests = makeRequests(5);
    const results = await generate(decoder, tinyTokenizer, requests, greedy);
    for (const [i, { tokens: prompt }] of requests.entries()) {
      const expected: number[] = [];
      let logProb = 0;
      let finished = false;
      while (expected.length < greedy.maxNewTokens) {
        const logProbs = nextLogProbs([...prompt, ...expected], decoder);
        const token = logProbs.indexOf(Math.max(...logProbs));
        logProb += logProbs[token]!;
        finished = token === endOfTurnId;
        if (finished) break;
        expected.push(token);
      }
      const [completion] = results[i]!;
      expect(completion).toEqual({
        tokens: expected,
        text: tinyTokenizer.decode(expected),
        logProb: expect.closeTo(logProb, 3),
        finished,
      });
    }
    decoder.dispose();
  });

  it('gives the probability that full forward passes give when it samples', async () => {
    const [request] = makeRequests(1, { samples: 3 });
    const [completions] = await generate(decoder, tinyTokenizer, [request!], {
      ...sampling,
      temperature: 0.7,
    });
    for (const { tokens, logProb, finished } of completions!) {
      const answer = finished ? [...tokens, endOfTurnId] : tokens;
      let expected = 0;
      for (let i = 0; i < answer.length; i++) {
        expected += nextLogProbs([...request!.tokens, ...answer.slice(0, i)])[answer[i]!]!;
      }
      expect(logProb).toBeCloseTo(expected, 3);
    }
  });

  it.each([
    ['greedy', greedy],
    ['sampling', sampling],
  ])('does not depend on batch size, rows per step, company or order (%s)', async (_, options) => {
    const requests = makeRequests(12, { samples: 2, shared: 40 });
    const texts = async (list: GenerationRequest[], more: Partial<GenerateOptions>) => {
      const results = await generate(decoder, tinyTokenizer, list, { ...options, ...more });
      return new Map(list.map(({ stream }, i) => [stream, results[i]!.map(({ text }) => text)]));
    };
    const reference = await texts(requests, { batchSize: 1 });
    expect(await texts(requests, { batchSize: 8 })).toEqual(reference);
    expect(await texts(requests, { batchSize: 5, rowsPerStep: 16 })).toEqual(reference);
    const shuffled = await texts(Rng.of(9).shuffle(requests), { batchSize: 8 });
    for (const [stream, answers] of reference) expect(shuffled.get(stream)).toEqual(answers);
    const alone = await texts([requests[4]!], { batchSize: 8 });
    expect(alone.get('request-4')).toEqual(reference.get('request-4'));
  });

  it('answers the same twice with one seed, and differently with another', async () => {
    const run = (seed: number) =>
      generate(decoder, tinyTokenizer, makeRequests(4, { samples: 2 }), { ...sampling, seed });
    const first = await run(5);
    expect(await run(5)).toEqual(first);
    expect(await run(6)).not.toEqual(first);
    const [a, b] = first[0]!;
    expect(a!.text).not.toBe(b!.text);
  });

  it('feeds a beginning that prompts share only once for each slot at most', async () => {
    let last: GenerationProgress | undefined;
    const requests = makeRequests(12, { shared: 80 });
    await generate(decoder, tinyTokenizer, requests, {
      ...sampling,
      batchSize: 4,
      onProgress: (progress) => {
        last = progress;
      },
    });
    const all = requests.reduce((sum, { tokens }) => sum + tokens.length, 0);
    expect(last!.promptTokens + last!.reusedTokens).toBe(all);
    expect(last!.reusedTokens).toBeGreaterThanOrEqual(11 * 80);
    expect(last).toMatchObject({ finished: 12, total: 12 });
  });

  it('answers a prompt that occurs twice once when greedy, and each time for itself when it samples', async () => {
    const [a, b] = makeRequests(2) as [GenerationRequest, GenerationRequest];
    const repeated = [a, b, { ...a, stream: 'again' }, { ...b, samples: 2, stream: 'more' }];
    const run = async (requests: GenerationRequest[], options: GenerateOptions) => {
      const told: string[] = [];
      let last: GenerationProgress | undefined;
      const results = await generate(decoder, tinyTokenizer, requests, {
        ...options,
        onProgress: (progress) => {
          last = progress;
        },
        onAnswer: (request, sample) => told.push(`${request}/${sample}`),
      });
      return { results, told: told.sort(), last: last! };
    };
    const once = await run([a, b], greedy);
    const twice = await run(repeated, greedy);
    const [first, second] = once.results;
    expect(twice.results).toEqual([first, second, first, [second![0], second![0]]]);
    expect(twice.told).toEqual(['0/0', '1/0', '2/0', '3/0', '3/1']);
    expect(twice.last).toMatchObject({ finished: 5, total: 5 });
    expect([twice.last.promptTokens, twice.last.tokens]).toEqual([once.last.promptTokens, once.last.tokens]);
    const sampled = await run(repeated, sampling);
    const texts = sampled.results.flat().map(({ text }) => text);
    expect(new Set(texts).size).toBe(5);
  });

  it('does not mix up one prompt with two grammars', async () => {
    const [request] = makeRequests(1);
    const grammar = parseGridEncoder('MinimalGridEncoder()').grammar;
    const requests = [request!, { ...request!, grammar }, { ...request!, grammar }];
    const [free, bound, again] = await generate(decoder, tinyTokenizer, requests, greedy);
    expect(again).toEqual(bound);
    expect(free).not.toEqual(bound);
  });

  it('stops at the longest sequence allowed', async () => {
    const requests = makeRequests(6);
    const maxSeqLen = 30;
    const results = await generate(decoder, tinyTokenizer, requests, { ...sampling, maxSeqLen });
    for (const [i, [completion]] of results.entries()) {
      const room = Math.min(sampling.maxNewTokens, maxSeqLen - requests[i]!.tokens.length);
      expect(completion!.tokens.length).toBeLessThanOrEqual(room);
      if (!completion!.finished) expect(completion!.tokens.length).toBe(room);
    }
    await expect(
      generate(decoder, tinyTokenizer, requests, { ...sampling, maxSeqLen: requests[0]!.tokens.length }),
    ).rejects.toThrow(RangeError);
  });

  it('leaves no tensor behind', async () => {
    const run = () => generate(decoder, tinyTokenizer, makeRequests(6, { shared: 70 }), sampling);
    await run();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) await run();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('gives back the part of a cache that there was memory for', async () => {
    const backend = tf.backend();
    const write = backend.write.bind(backend);
    let caches = 0;
    const spy = vi.spyOn(backend, 'write').mockImplementation((values, shape, dtype) => {
      if (shape.length === 4 && ++caches === 3) throw new Error('out of memory');
      return write(values, shape, dtype);
    });
    const before = tf.memory().numTensors;
    await expect(generate(decoder, tinyTokenizer, makeRequests(2), greedy)).rejects.toThrow('memory');
    spy.mockRestore();
    expect(caches).toBe(3);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('has nothing to do for no requests and no samples', async () => {
    expect(await generate(decoder, tinyTokenizer, [], greedy)).toEqual([]);
    expect(await generate(decoder, tinyTokenizer, makeRequests(2, { samples: 0 }), greedy)).toEqual([[], []]);
  });
});
