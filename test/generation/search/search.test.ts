/** The search finds exactly the answers above its threshold, whatever it guesses and whoever it runs with. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../../src/common/rng.js';
import { TokenGrammar } from '../../../src/generation/constraint.js';
import { searchAnswers } from '../../../src/generation/search/search.js';
import type {
  FoundAnswers,
  SearchOptions,
  SearchProgress,
  SearchRequest,
} from '../../../src/generation/search/types.js';
import { type GenerationTokenizer, VocabularyTrie } from '../../../src/generation/vocabulary.js';
import type { Decoder } from '../../../src/models/decoder.js';
import type { TextGrammar } from '../../../src/prompts/grammar.js';
import { initBackend } from '../../../src/tensors/backend.js';
import * as tf from '../../../src/tensors/tf.js';
import { webGpuUnderTest } from '../../prerequisites/index.js';
import { limited, makeTokenizer, tinyDecoder, tinyTokenizer } from '../tiny.js';
import { type Answer, enumerate } from './brute-force.js';

/** The answers of at most two rows of at most two cells, after `a:`; tokens run across the places of choices. */
const pieces = ['0', '1', '\n', 'a', ':', 'a:', '00', '1\n'];
const tokenizer: GenerationTokenizer = {
  ...makeTokenizer(pieces),
  // any of three ends an answer
  stopIds: [makeTokenizer(pieces).stopIds[0]!, makeTokenizer(pieces).stopIds[0]! + 1, 3],
};
const vocabSize = tokenizer.vocabSize + 1;

/** `a:` and then rows of the same width, as an automaton over what was written. */
const grammar: TextGrammar = (() => {
  const states = new Map<string, { text: string }>();
  const state = (text: string) => {
    if (!states.has(text)) states.set(text, { text });
    return states.get(text)!;
  };
  const next = (text: string): string[] => {
    if (text.length < 2) return ['a:'[text.length]!];
    const [first = '', second] = text.slice(2).split('\n');
    if (second === undefined) {
      return [...(first.length < 2 ? ['0', '1'] : []), ...(first.length > 0 ? ['\n'] : [])];
    }
    return second.length < first.length ? ['0', '1'] : [];
  };
  const textOf = (of: object) => (of as { text: string }).text;
  return {
    initial: state(''),
    step: (from, char) => (next(textOf(from)).includes(char) ? state(textOf(from) + char) : null),
    accepts: (at) => {
      const [first = '', second] = textOf(at).slice(2).split('\n');
      return first.length > 0 && (second === undefined || second.length === first.length);
    },
    next: (at) => next(textOf(at)),
  };
})();
const tokenGrammar = new TokenGrammar(grammar, new VocabularyTrie(tokenizer), tokenizer);

const limit = 5;
const prompts = Array.from({ length: 3 }, (_, i) => {
  const rng = Rng.of(i, 'prompts');
  return Array.from({ length: 3 + 4 * i }, () => rng.int(0, pieces.length - 1));
});
const decoders: Decoder[] = [];
/** [decoder][prompt] */
const all: { free: Answer[]; bound: Answer[] }[][] = [];

beforeAll(async () => {
  await initBackend('wasm');
  for (const [seed, features] of [
    [1, {}],
    [2, {}],
    [5, limited],
  ] as const) {
    const decoder = tinyDecoder(seed, undefined, vocabSize, features);
    decoders.push(decoder);
    all.push(
      prompts.map((prompt) => ({
        free: enumerate(decoder, tokenizer.stopIds, prompt, 4),
        bound: enumerate(decoder, tokenizer.stopIds, prompt, limit, tokenGrammar),
      })),
    );
  }
});
afterAll(() => {
  for (const decoder of decoders) decoder.dispose();
});

const plain = (found: FoundAnswers) => found.answers.map(({ tokens }) => tokens.join());

function expectSame(found: FoundAnswers, every: readonly Answer[], threshold: number, what: string): void {
  const expected = every.filter(({ logProb }) => logProb >= Math.log(threshold));
  expect(plain(found).sort(), what).toEqual(expected.map(({ tokens }) => tokens.join()).sort());
  const logProbs = new Map(every.map(({ tokens, logProb }) => [tokens.join(), logProb]));
  for (const { tokens, text, logProb, finished } of found.answers) {
    expect(Math.abs(logProb - logProbs.get(tokens.join())!), what).toBeLessThan(1e-5 * Math.max(1, -logProb));
    expect([text, finished]).toEqual([tokenizer.decode(tokens), true]);
  }
  expect(found.isComplete).toBe(true);
}

/** Nothing is so near a threshold that rounding decides. */
const thresholds = [0.3, 0.05, 0.002];
/** A grammar lets the model write what it finds unlikely. */
const boundThreshold = (threshold: number) => threshold ** 2;

async function search(
  decoder: Decoder,
  requests: readonly SearchRequest[],
  options: Partial<SearchOptions> & { threshold: number },
): Promise<{ found: FoundAnswers[]; last: SearchProgress }> {
  let last: SearchProgress | undefined;
  const found = await searchAnswers(decoder, tokenizer, requests, {
    maxNewTokens: limit,
    ...options,
    onProgress: (progress) => {
      last = progress;
    },
  });
  return { found, last: last! };
}

describe('the search', () => {
  it('has something to find, from one answer to dozens', () => {
    const count = (every: readonly Answer[], threshold: number) =>
      every.filter(({ logProb }) => logProb >= Math.log(threshold)).length;
    const free = all.flat().flatMap((one) => thresholds.map((threshold) => count(one.free, threshold)));
    const bound = all
      .flat()
      .flatMap((one) => thresholds.map((threshold) => count(one.bound, boundThreshold(threshold))));
    for (const counts of [free, bound]) {
      expect(Math.max(...counts)).toBeGreaterThan(8);
      expect(counts.filter((found) => found > 0).length).toBeGreaterThan(6);
    }
    // the tokens of all answers leave nothing over for longer ones: what is enumerated is everything
    expect(all[0]![0]!.free.length).toBe([0, 1, 2, 3].reduce((sum, n) => sum + (vocabSize - 3) ** n, 0));
  });

  it.each(thresholds)(
    'finds every answer of a probability of at least %d, and no other',
    async (threshold) => {
      for (const [i, decoder] of decoders.entries()) {
        const answers = all[i]!;
        const free = prompts.map((tokens) => ({ tokens }));
        const bound = prompts.map((tokens, j) => ({
          ...{ tokens, grammar },
          // right, wrong, impossible and missing guesses
          likelyAnswers: () => [answers[j]!.bound[j]!.tokens, [5, 0, 0, 2, 1], [7, 7], []],
          input: [5, 0, 2, 1],
        }));
        for (const [batchSize, rowsPerStep, guess] of [
          [1, 1024, false],
          [1, 1024, true],
          [3, 7, true],
          [8, 1024, true],
        ] as const) {
          const options = { threshold, batchSize, rowsPerStep, guess };
          const what = `decoder ${i}, ${JSON.stringify(options)}`;
          const unbound = await search(decoder, free, { ...options, maxNewTokens: 4 });
          for (const [j, found] of unbound.found.entries())
            expectSame(found, answers[j]!.free, threshold, what);
          const lower = boundThreshold(threshold);
          const { found } = await search(decoder, bound, { ...options, threshold: lower });
          for (const [j, one] of found.entries()) expectSame(one, answers[j]!.bound, lower, what);
        }
      }
    },
  );

  it('is exact where a distribution is so flat that the first tokens fetched are not all', async () => {
    const decoder = tinyDecoder(4, (name, values) => {
      // nearly the same probability for everything
      if (name === 'lm_head.weight') for (const i of values.keys()) values[i]! *= 0.02;
    });
    const prompt = [1, 2, 3];
    const every = enumerate(decoder, tinyTokenizer.stopIds, prompt, 2);
    const width = tinyTokenizer.vocabSize;
    for (const threshold of [0.5 / width, 0.9 / width ** 2, 1.02 / width ** 2, 1e-9]) {
      const [found] = await searchAnswers(decoder, tinyTokenizer, [{ tokens: prompt }], {
        ...{ threshold, maxNewTokens: 2 },
      });
      const expected = every.filter(({ logProb }) => logProb >= Math.log(threshold));
      expect(new Set(plain(found!))).toEqual(new Set(expected.map(({ tokens }) => tokens.join())));
    }
    expect(every).toHaveLength(width);
    decoder.dispose();
  });

  it('goes on at a lower threshold where it was cut off, without doing anything twice', async () => {
    for (const bound of [false, true]) {
      const decoder = decoders[0]!;
      const requests = prompts.map((tokens) => ({ tokens, ...(bound ? { grammar } : {}) }));
      const options = { maxNewTokens: bound ? limit : 4, guess: false };
      const steps = [0.2, 0.05, 0.01, 0.0005];
      let before: FoundAnswers[] | undefined;
      let fed = 0;
      for (const threshold of steps) {
        const from: SearchRequest[] = requests.map((request, i) =>
          before ? { ...request, before: before[i]! } : request,
        );
        const { found, last } = await search(decoder, from, { ...options, threshold });
        for (const [i, one] of found.entries())
          expectSame(one, all[0]![i]![bound ? 'bound' : 'free'], threshold, `${threshold}`);
        before = found;
        fed += last.tokens;
      }
      const { last } = await search(decoder, requests, { ...options, threshold: steps.at(-1)! });
      // beginnings whose cache is gone are fed again, but each decision is made once; in one go they are fed once
      const again = await search(
        decoder,
        requests.map((request, i) => ({ ...request, before: before![i]! })),
        {
          ...options,
          threshold: steps.at(-1)!,
        },
      );
      expect(again.last).toMatchObject({ steps: 0, tokens: 0, promptTokens: 0, finished: requests.length });
      expect(again.found.map(plain)).toEqual(before!.map(plain));
      expect(fed).toBeLessThan(steps.length * last.tokens);
    }
  });

  it('reads again what it did not keep when the threshold falls far', async () => {
    const [prompt] = prompts;
    const { found } = await search(decoders[0]!, [{ tokens: prompt! }], { threshold: 0.3, maxNewTokens: 4 });
    const { found: more } = await search(decoders[0]!, [{ tokens: prompt!, before: found[0]! }], {
      ...{ threshold: 1e-6, maxNewTokens: 4 },
    });
    expectSame(more[0]!, all[0]![0]!.free, 1e-6, 'far');
  });

  it('ends at its limits with what it has, and goes on from there', async () => {
    const threshold = 0.002;
    const requests = prompts.map((tokens, group) => ({ tokens, grammar, group: group % 2 }));
    const limits: [name: string, Partial<SearchOptions>][] = [
      ['tokens', { limits: { tokens: 4 } }],
      // passes take a second each
      ['seconds', { limits: { seconds: 3 }, now: ticking() }],
      ['answers', { onAnswer: () => true }],
    ];
    for (const [name, limit] of limits) {
      const { found } = await search(decoders[0]!, requests, { threshold, batchSize: 2, ...limit });
      expect(
        found.some(({ isComplete }) => !isComplete),
        name,
      ).toBe(true);
      const every = requests.map((_, i) => new Set(all[0]![i]!.bound.map(({ tokens }) => tokens.join())));
      for (const [i, one] of found.entries())
        for (const tokens of plain(one)) expect(every[i]!.has(tokens), name).toBe(true);
      const { found: rest } = await search(
        decoders[0]!,
        requests.map((request, i) => ({ ...request, before: found[i]! })),
        { threshold },
      );
      for (const [i, one] of rest.entries()) expectSame(one, all[0]![i]!.bound, threshold, name);
    }
  });

  it('verifies a whole answer in one pass, and guesses save passes, not only tokens', async () => {
    const decoder = decoders[0]!;
    const threshold = 0.02;
    const requests = prompts.map((tokens, i) => ({
      ...{ tokens, grammar },
      likelyAnswers: () => all[0]![i]!.bound.slice(0, 3).map((answer) => answer.tokens),
    }));
    const [, { last: plainly }, { last: guessing }] = [
      null,
      await search(decoder, requests, { threshold, guess: false }),
      await search(decoder, requests, { threshold, guess: true }),
    ];
    expect(plainly).toMatchObject({ guessedTokens: 0, acceptedTokens: 0 });
    expect(guessing.acceptedTokens).toBeGreaterThan(0);
    expect(guessing.steps).toBeLessThan(0.8 * plainly.steps);
    // what a right guess feeds is fed in any case
    expect(guessing.tokens - plainly.tokens).toBe(guessing.guessedTokens - guessing.acceptedTokens);
  });

  it('answers a prompt that occurs twice once', async () => {
    const [a, b] = prompts as [number[], number[]];
    const once = await search(decoders[0]!, [{ tokens: a }, { tokens: b }], { threshold: 0.05 });
    const requests = [a, b, a].map((tokens) => ({ tokens, group: 0 }));
    const told: number[] = [];
    const onAnswer = (request: number) => {
      told.push(request);
      return false;
    };
    const twice = await search(decoders[0]!, requests, { threshold: 0.05, onAnswer });
    expect(twice.found.map(plain)).toEqual([0, 1, 0].map((i) => plain(once.found[i]!)));
    expect(twice.last.promptTokens).toBe(once.last.promptTokens);
    expect(told.filter((request) => request === 2)).toHaveLength(once.found[0]!.answers.length);
  });

  it('leaves no tensor behind, and says what is out of range', async () => {
    const requests = prompts.map((tokens) => ({ tokens }));
    const before = tf.memory().numTensors;
    await search(decoders[0]!, requests, { threshold: 0.05 });
    expect(tf.memory().numTensors).toBe(before);
    expect(await searchAnswers(decoders[0]!, tokenizer, [], { threshold: 1, maxNewTokens: 3 })).toEqual([]);
    for (const threshold of [0, -1, 1.01, Number.NaN]) {
      await expect(search(decoders[0]!, requests, { threshold })).rejects.toThrow('above 0 and at most 1');
    }
    await expect(search(decoders[0]!, requests, { threshold: 1, maxSeqLen: 11 })).rejects.toThrow(
      'a prompt of 11 tokens leaves no room for an answer within 11',
    );
    const stopping = new AbortController();
    const aborted = search(decoders[0]!, requests, {
      ...{ threshold: 0.001, signal: stopping.signal },
      onAnswer: () => {
        stopping.abort(new Error('enough'));
        return false;
      },
    });
    await expect(aborted).rejects.toThrow('enough');
    expect(tf.memory().numTensors).toBe(before);
  });
});

/** A clock that is a second later whenever it is looked at. */
function ticking(): () => number {
  let time = 0;
  return () => (time += 1000);
}

describe.each(webGpuUnderTest())('the search on %s', (backend) => {
  it('finds what is found on other backends', { timeout: 120_000 }, async () => {
    await initBackend(backend);
    const decoder = tinyDecoder(1, undefined, vocabSize, {});
    const [threshold] = thresholds;
    const options = { threshold: boundThreshold(threshold!), batchSize: 3 };
    const requests = prompts.slice(0, 2).map((tokens) => ({ tokens, grammar }));
    const { found } = await search(decoder, requests, options);
    for (const [j, one] of found.entries()) expectSame(one, all[0]![j]!.bound, options.threshold, backend);
    decoder.dispose();
  });
});
