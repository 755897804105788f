import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { TokenGrammar } from '../../src/generation/constraint.js';
import { generate } from '../../src/generation/engine.js';
import { type ScoringRequest, scoreAnswers, scoringGroups } from '../../src/generation/scoring.js';
import { CACHED } from '../../src/generation/scoring-lanes.js';
import { vocabularyOf } from '../../src/generation/vocabulary.js';
import type { Decoder } from '../../src/models/decoder.js';
import type { TextGrammar } from '../../src/prompts/grammar.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { backendsUnderTest, openBackends } from '../prerequisites/index.js';
import { scoreOneByOne } from './one-by-one.js';
import { limited, tinyDecoder, tinyTokenizer } from './tiny.js';

const endOfTurnId = tinyTokenizer.stopIds[0]!;

/** Prompts with answers that begin alike, some of which differ in one token only, in an order of no meaning. */
function manyRequests(seed: number, count: number, length: number): ScoringRequest[] {
  const rng = Rng.of(seed, 'requests');
  const tokens = (n: number) => Array.from({ length: n }, () => rng.int(0, 19));
  return Array.from({ length: count }, (_, i) => {
    const first = tokens(length);
    const answers = [first, first.slice(0, 3), [], first];
    for (let j = 0; j < 4; j++) {
      const other = [...first];
      other[rng.int(0, length - 1)] = rng.int(0, 19);
      answers.push([...other.slice(0, rng.int(1, length)), ...tokens(j)]);
    }
    return { prompt: tokens(5 + 7 * (i % 3)), answers: answers.map((answer) => [...answer, endOfTurnId]) };
  });
}

const oneByOne = (decoder: Decoder, requests: readonly ScoringRequest[], stopIds?: readonly number[]) =>
  scoreOneByOne(
    decoder,
    requests.flatMap(({ prompt, answers }) =>
      answers.map((answer) => ({ tokens: [...prompt, ...answer], answerStart: prompt.length })),
    ),
    stopIds ? { stopIds } : {},
  );

/** Within 1e-5 nats, and the rounding of float32 where the number is large. */
const expectNear = (logProb: number, expected: number) =>
  expect(Math.abs(logProb - expected)).toBeLessThan(1e-5 + 1e-6 * Math.abs(expected));

/** Tokens that have to be fed: the prompts, and each different beginning of an answer that something follows. */
const fewestTokens = (requests: readonly ScoringRequest[]) =>
  requests.reduce((sum, { prompt, answers }) => {
    const beginnings = answers.flatMap((answer) =>
      answer.slice(1).map((_, i) => answer.slice(0, i + 1).join()),
    );
    return sum + prompt.length + new Set(beginnings).size;
  }, 0);

const backends = openBackends(['cpu', ...backendsUnderTest({ awaited: true })]);
const kinds = [
  ['with full attention', {}],
  ['with windows and caps', limited],
] as const;

describe.each(backends.flatMap((backend) => kinds.map(([kind, features]) => ({ backend, kind, features }))))(
  'scoreAnswers on backend $backend, $kind',
  ({ backend, features }) => {
    let decoder: Decoder;
    beforeAll(async () => {
      await initBackend(backend);
      decoder = tinyDecoder(4, undefined, undefined, features);
    });
    afterAll(() => decoder.dispose());

    it('scores as one answer at a time, however much of it shares a pass', async () => {
      const requests = manyRequests(1, 4, 8);
      const expected = await oneByOne(decoder, requests);
      // one token a pass; one lane in chunks; lanes that take turns; all at once
      // one token a pass takes a driver in software long
      const budgets = backend === 'webgpu' ? [24, 4096] : [1, 5, 24, 4096];
      for (const maxTokensPerBatch of budgets) {
        const scores = (await scoreAnswers(decoder, tinyTokenizer, requests, { maxTokensPerBatch })).flat();
        for (const [i, { logProb }] of scores.entries()) expectNear(logProb, expected[i]!);
      }
    });

    it('scores rows of answers that are longer than what kernels take together', async () => {
      const requests = manyRequests(2, 2, 70);
      const expected = await oneByOne(decoder, requests);
      const scores = (await scoreAnswers(decoder, tinyTokenizer, requests)).flat();
      for (const [i, { logProb }] of scores.entries()) {
        expectNear(logProb, expected[i]!);
      }
    });

    it('takes the most likely of several tokens that end an answer', async () => {
      const stopIds = [endOfTurnId, 20, 21];
      const requests = manyRequests(3, 4, 6);
      const expected = await oneByOne(decoder, requests, stopIds);
      const scores = (await scoreAnswers(decoder, { ...tinyTokenizer, stopIds }, requests)).flat();
      for (const [i, { logProb }] of scores.entries()) expectNear(logProb, expected[i]!);
      const template = await oneByOne(decoder, requests);
      expect(template.some((logProb, i) => logProb < expected[i]! - 0.1)).toBe(true);
    });
  },
);

describe('scoreAnswers', () => {
  let decoder: Decoder;
  beforeAll(async () => {
    await initBackend('cpu');
    decoder = tinyDecoder(4);
  });
  afterAll(() => decoder.dispose());

  it('finds generated answers as likely as generation did', async () => {
    const requests = [3, 9, 5].map((length, i) => ({
      tokens: Array.from({ length }, (_, j) => (7 * i + 3 * j) % 20),
      samples: 3,
      stream: `${i}`,
    }));
    const options = { maxNewTokens: 8, temperature: 1, seed: 1 };
    const results = await generate(decoder, tinyTokenizer, requests, options);
    const asked = results.map((completions, i) => ({
      prompt: requests[i]!.tokens,
      answers: completions.map(({ tokens, finished }) => [...tokens, ...(finished ? [endOfTurnId] : [])]),
    }));
    const scores = await scoreAnswers(decoder, tinyTokenizer, asked);
    for (const [i, completions] of results.entries()) {
      for (const [j, { logProb }] of completions.entries()) {
        expect(scores[i]![j]!.logProb).toBeCloseTo(logProb, 4);
        expect(scores[i]![j]!.tokens).toBe(asked[i]!.answers[j]!.length);
      }
    }
  });

  it('feeds every prompt and every common beginning of its answers once', async () => {
    const requests = manyRequests(5, 7, 20);
    for (const maxTokensPerBatch of [3, 40, 4096]) {
      let fed = 0;
      let finished = 0;
      await scoreAnswers(decoder, tinyTokenizer, requests, {
        maxTokensPerBatch,
        onProgress: (progress) => ({ tokens: fed, finished } = progress),
      });
      expect(fed).toBeLessThanOrEqual(fewestTokens(requests));
      // but for prompts that happen to begin as the one before them in the slot
      expect(fed).toBeGreaterThan(fewestTokens(requests) - 2 * requests.length);
      expect(finished).toBe(requests.length * 8);
    }
  });

  it('does not feed the beginning that a prompt shares with the one before it', async () => {
    const prompt = Array.from({ length: 30 }, (_, i) => i % 13);
    const requests = [1, 2, 3].map((last) => ({ prompt: [...prompt, last], answers: [[4, 5, endOfTurnId]] }));
    let fed = 0;
    const scores = await scoreAnswers(decoder, tinyTokenizer, requests, {
      // one lane
      maxTokensPerBatch: 16,
      onProgress: ({ tokens }) => {
        fed = tokens;
      },
    });
    expect(fed).toBe(33 + 3 + 3);
    const expected = await oneByOne(decoder, requests);
    for (const [i, { logProb }] of scores.flat().entries()) expectNear(logProb, expected[i]!);
  });

  it('holds at most as much in the cache as was predicted', async () => {
    const requests = manyRequests(6, 12, 10);
    const longest = 19 + 13;
    const { numHiddenLayers, numKeyValueHeads, headDim } = decoder.config;
    const perToken = 4 * 2 * numHiddenLayers * numKeyValueHeads * headDim;
    for (const maxTokensPerBatch of [1, 40]) {
      const before = tf.memory().numBytes;
      const positions = Math.max(longest, CACHED * maxTokensPerBatch);
      let most = 0;
      await scoreAnswers(decoder, tinyTokenizer, requests, {
        maxTokensPerBatch,
        onProgress: ({ finished }) => {
          most = Math.max(most, finished === 0 ? tf.memory().numBytes - before : 0);
        },
      });
      expect(most).toBeGreaterThan(0);
      // the tables of rotary positions grow to the longest prompt
      expect(most).toBeLessThan(positions * perToken + 64 * longest);
    }
  });

  it('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await scoreAnswers(decoder, tinyTokenizer, manyRequests(7, 3, 5));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('takes the groups that are known, and computes the others to the same digits', async () => {
    const requests = manyRequests(8, 12, 10);
    const groups = scoringGroups(requests, 20);
    expect(groups.length).toBeGreaterThan(3);
    expect(groups.flat().sort((a, b) => a - b)).toEqual([...requests.keys()]);
    const kept = new Map<number, (typeof all)[number][]>();
    const all = await scoreAnswers(decoder, tinyTokenizer, requests, {
      maxTokensPerBatch: 20,
      onGroup: (group, scores) => kept.set(group, structuredClone(scores) as (typeof all)[number][]),
    });
    const computed: number[] = [];
    const again = await scoreAnswers(decoder, tinyTokenizer, requests, {
      maxTokensPerBatch: 20,
      known: (group) => (group % 2 === 0 ? kept.get(group) : undefined),
      onGroup: (group) => computed.push(group),
    });
    expect(again).toEqual(all);
    expect(computed).toEqual([...groups.keys()].filter((group) => group % 2 === 1));
  });

  it('ends after a pass when it is told to', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    let passes = 0;
    const scoring = scoreAnswers(decoder, tinyTokenizer, manyRequests(9, 3, 5), {
      maxTokensPerBatch: 4,
      signal: stop.signal,
      onProgress: (progress) => {
        passes = progress.passes;
        if (passes === 2) stop.abort(reason);
      },
    });
    await expect(scoring).rejects.toBe(reason);
    expect(passes).toBe(2);
  });

  it('refuses an empty prompt', async () => {
    const scoring = scoreAnswers(decoder, tinyTokenizer, [{ prompt: [], answers: [[1, endOfTurnId]] }]);
    await expect(scoring).rejects.toThrow('a prompt needs at least one token');
  });
});

describe('scoreAnswers, normalised over what a grammar allows', () => {
  /** Texts of one or two of the letters 0, 1 and 2: twelve of them. */
  const grammar: TextGrammar = (() => {
    const states = [{ n: 0 }, { n: 1 }, { n: 2 }];
    const at = (state: object) => states.indexOf(state as { n: number });
    return {
      initial: states[0]!,
      step: (state, char) => ('012'.includes(char) ? (states[at(state) + 1] ?? null) : null),
      accepts: (state) => at(state) > 0,
      next: (state) => (at(state) < 2 ? ['0', '1', '2'] : []),
    };
  })();

  it('gives all texts of a grammar, cut into tokens in every way, probabilities that add up to 1', async () => {
    await initBackend('cpu');
    const decoder = tinyDecoder(11);
    const lifted = new TokenGrammar(grammar, vocabularyOf(tinyTokenizer), tinyTokenizer);
    const answers: number[][] = [];
    const write = (answer: readonly number[], state: object): void => {
      for (const [token, after] of lifted.continuations(state).states) {
        if (token === endOfTurnId) answers.push([...answer, token]);
        else write([...answer, token], after);
      }
    };
    write([], lifted.initial);
    // "12" and "00" are tokens of their own too
    expect(answers).toHaveLength(3 + 9 + 2);
    const request = { prompt: [1, 2, 3], answers };
    const [scores] = await scoreAnswers(decoder, tinyTokenizer, [request], { grammar });
    const sum = scores!.reduce((total, { logProb }) => total + Math.exp(logProb), 0);
    expect(sum).toBeCloseTo(1, 5);
    const [plain] = await scoreAnswers(decoder, tinyTokenizer, [request]);
    const outside = plain!.reduce((total, { logProb }) => total + Math.exp(logProb), 0);
    expect(outside).toBeLessThan(0.5);
    decoder.dispose();
  });
});
