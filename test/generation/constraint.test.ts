import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { TokenGrammar } from '../../src/generation/constraint.js';
import { generate } from '../../src/generation/engine.js';
import { DeadEndError } from '../../src/generation/errors.js';
import { VocabularyTrie } from '../../src/generation/vocabulary.js';
import { parseGridEncoder } from '../../src/prompts/grid-encoder.js';
import { initBackend } from '../../src/tensors/backend.js';
import { plainTokenizer, tinyDecoder, tinyTokenizer } from './tiny.js';

const vocabulary = new VocabularyTrie(tinyTokenizer);
const expressions = [
  'MinimalGridEncoder()',
  "GridWithSeparationEncoder('|')",
  'RepeatNumberEncoder(3)',
  'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
  'GridCodeBlockEncoder(RowNumberEncoder(MinimalGridEncoder()))',
  'RepeatNumberEncoder(2, ReplaceNumberEncoder())',
];
const shapeEncoder = parseGridEncoder(expressions[3]!);
const endOfTurnId = tinyTokenizer.stopIds[0]!;

/** Writes one text of at most `room` tokens by choosing among the allowed ones at random; counts the choices. */
function walk(
  lifted: TokenGrammar,
  rng: Rng,
  tokenizer = tinyTokenizer,
  room = Infinity,
): { text: string; choices: number; tokens: number[] } {
  const tokens: number[] = [];
  let state = lifted.initial;
  let choices = 0;
  for (;;) {
    for (let forced = lifted.forced(state); forced.tokens.length > 0; forced = lifted.forced(state)) {
      tokens.push(...forced.tokens);
      state = forced.state;
    }
    const text = tokenizer.decode(tokens);
    if (lifted.mustEnd(state)) return { text, choices, tokens };
    if (tokens.length >= room && lifted.mayEnd(state)) return { text, choices, tokens };
    const { states } = lifted.continuations(state);
    const token = rng.pick([...lifted.continuationsWithin(state, room - tokens.length)]);
    choices += 1;
    if (tokenizer.stopIds.includes(token)) return { text, choices, tokens };
    tokens.push(token);
    state = states.get(token)!;
  }
}

describe('TokenGrammar', () => {
  it.each(expressions)('writes nothing but grids: %s', (expression) => {
    const encoder = parseGridEncoder(expression);
    const lifted = new TokenGrammar(encoder.grammar, vocabulary, tinyTokenizer);
    const property = fc.property(fc.integer(), (seed) => {
      const { text } = walk(lifted, Rng.of(seed));
      expect(encoder.encode(encoder.decode(text))).toBe(text);
    });
    fc.assert(property, { numRuns: 40 });
  });

  it.each(expressions)('can write every grid: %s', (expression) => {
    const encoder = parseGridEncoder(expression);
    const lifted = new TokenGrammar(encoder.grammar, vocabulary, tinyTokenizer);
    const rng = Rng.of(1);
    for (const [height, width] of [
      [1, 1],
      [3, 2],
      [30, 30],
    ] as const) {
      const grid = Array.from({ length: height }, () => Array.from({ length: width }, () => rng.int(0, 9)));
      let state = lifted.initial;
      for (const token of tinyTokenizer.encode(encoder.encode(grid))) {
        const { states } = lifted.continuations(state);
        expect(states.has(token)).toBe(true);
        state = states.get(token)!;
      }
      expect(lifted.continuations(state).states.has(endOfTurnId)).toBe(true);
    }
  });

  it('leaves only the shape and the cells to choose', () => {
    const lifted = new TokenGrammar(shapeEncoder.grammar, new VocabularyTrie(plainTokenizer), plainTokenizer);
    for (let seed = 0; seed < 20; seed++) {
      const { text, choices } = walk(lifted, Rng.of(seed), plainTokenizer);
      const grid = shapeEncoder.decode(text);
      // each of height and width is one choice, or two when it may have a second digit
      expect(choices).toBeGreaterThanOrEqual(grid.length * grid[0]!.length + 2);
      expect(choices).toBeLessThanOrEqual(grid.length * grid[0]!.length + 4);
    }
  });

  it('cuts forced text as the tokenizer does, but leaves open a token that may go on', () => {
    for (const tokenizer of [plainTokenizer, tinyTokenizer]) {
      const lifted = new TokenGrammar(shapeEncoder.grammar, new VocabularyTrie(tokenizer), tokenizer);
      const { tokens } = lifted.forced(lifted.initial);
      expect(tokens).toEqual(tokenizer.encode('```grid shape: ').slice(0, tokens.length));
    }
    const separated = parseGridEncoder("GridWithSeparationEncoder(' ')").grammar;
    const lifted = new TokenGrammar(separated, vocabulary, tinyTokenizer);
    // after the first cell a space is a token, but " 0" may be meant, or a newline
    const [zero] = tinyTokenizer.encode('0');
    const second = lifted.continuations(lifted.initial).states.get(zero!)!;
    expect(lifted.forced(second).tokens).toEqual([]);
  });

  it.each(expressions)('ends every grid within the room that there is: %s', (expression) => {
    const encoder = parseGridEncoder(expression);
    for (const tokenizer of [plainTokenizer, tinyTokenizer]) {
      const lifted = new TokenGrammar(encoder.grammar, new VocabularyTrie(tokenizer), tokenizer);
      const least = lifted.tokensToEnd(lifted.initial);
      expect(least).toBe(tokenizer.encode(encoder.encode([[0]])).length);
      for (let room = least; room < least + 120; room += 3) {
        const { text, tokens } = walk(lifted, Rng.of(room), tokenizer, room);
        expect(tokens.length).toBeLessThanOrEqual(room);
        expect(encoder.encode(encoder.decode(text))).toBe(text);
      }
      // a grid may fill the room to the last token
      const wide = Array.from({ length: 4 }, () => [0, 0, 0, 0, 0]);
      const written = tokenizer.encode(encoder.encode(wide));
      let state = lifted.initial;
      for (const [i, token] of written.entries()) {
        expect(lifted.continuationsWithin(state, written.length - i)).toContain(token);
        state = lifted.continuations(state).states.get(token)!;
      }
    }
  });

  it('says which character the vocabulary lacks', () => {
    const { grammar } = parseGridEncoder("GridWithSeparationEncoder('§')");
    const lifted = new TokenGrammar(grammar, vocabulary, tinyTokenizer);
    expect(() => walk(lifted, Rng.of(1))).toThrow(DeadEndError);
    expect(() => walk(lifted, Rng.of(1))).toThrow(/cannot write "§"/);
  });
});

describe('several tokens that end an answer', () => {
  it('are all allowed where a grid may end, and nowhere else', () => {
    const other = tinyTokenizer.encode('zz')[0]!;
    const tokenizer = { ...tinyTokenizer, stopIds: [endOfTurnId, other] };
    const { grammar } = parseGridEncoder("GridWithSeparationEncoder('|')");
    const lifted = new TokenGrammar(grammar, new VocabularyTrie(tokenizer), tokenizer);
    let ends = 0;
    for (let seed = 0; seed < 20; seed++) {
      let state = lifted.initial;
      const rng = Rng.of(seed);
      for (let step = 0; step < 30; step++) {
        const { tokens, states } = lifted.continuations(state);
        const stops = [...tokens].filter((id) => tokenizer.stopIds.includes(id));
        expect(stops.toSorted()).toEqual(grammar.accepts(state) ? tokenizer.stopIds.toSorted() : []);
        ends += Math.min(1, stops.length);
        if (lifted.mustEnd(state)) break;
        state = states.get(rng.pick([...tokens].filter((id) => !stops.includes(id))))!;
      }
    }
    expect(ends).toBeGreaterThan(20);
  });

  it('may not be what a grid is written with', () => {
    const digit = tinyTokenizer.encode('0')[0]!;
    const tokenizer = { ...plainTokenizer, stopIds: [digit] };
    const lifted = new TokenGrammar(
      parseGridEncoder('MinimalGridEncoder()').grammar,
      new VocabularyTrie(tokenizer),
      tokenizer,
    );
    expect(() => lifted.continuations(lifted.initial)).toThrow(/`constrained`: .* cannot write "0"/);
  });
});

describe('generate with a grammar', () => {
  beforeAll(() => initBackend('wasm'));

  it.each([0, 1])('yields grids only, from random models (temperature %d)', async (temperature) => {
    const requests = [1, 2].map((token) => ({
      tokens: [token, 7, 8],
      samples: 1,
      grammar: shapeEncoder.grammar,
      stream: `${token}`,
    }));
    for (const seed of [1, 2]) {
      const decoder = tinyDecoder(seed);
      const results = await generate(decoder, tinyTokenizer, requests, {
        maxNewTokens: 1200,
        temperature,
        seed,
      });
      for (const { text, finished, logProb } of results.flat()) {
        expect(finished).toBe(true);
        expect(shapeEncoder.encode(shapeEncoder.decode(text))).toBe(text);
        expect(logProb).toBeLessThan(0);
      }
      decoder.dispose();
    }
  });

  it('yields grids however short an answer may be', async () => {
    const decoder = tinyDecoder(5);
    const least = plainTokenizer.encode(shapeEncoder.encode([[0]])).length;
    for (const maxNewTokens of [least, least + 1, 40, 90]) {
      const requests = Array.from({ length: 4 }, (_, i) => ({
        tokens: [1, i],
        samples: 2,
        grammar: shapeEncoder.grammar,
        stream: `${i}`,
      }));
      const options = { maxNewTokens, temperature: 1, seed: 3 };
      for (const { text, finished } of (await generate(decoder, plainTokenizer, requests, options)).flat()) {
        expect(finished).toBe(true);
        expect(shapeEncoder.encode(shapeEncoder.decode(text))).toBe(text);
      }
    }
    decoder.dispose();
  });

  it('spends a forward pass only where there is a choice', async () => {
    const decoder = tinyDecoder(3);
    let steps = 0;
    const request = { tokens: [1, 2], samples: 1, grammar: shapeEncoder.grammar, stream: '' };
    const results = await generate(decoder, plainTokenizer, [request], {
      maxNewTokens: 1200,
      temperature: 1,
      seed: 11,
      onProgress: (progress) => {
        steps = progress.steps;
      },
    });
    const [completion] = results[0]!;
    const grid = shapeEncoder.decode(completion!.text);
    expect(steps).toBeLessThanOrEqual(grid.length * grid[0]!.length + 4);
    // fences, "grid shape", the x, newlines, row numbers and the end of turn are free
    expect(completion!.tokens.length).toBeGreaterThan(steps + 3 * grid.length);
    decoder.dispose();
  });
});
