import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { chooseToken } from '../../src/generation/sampler.js';

const probabilities = [0.1, 0.5, 0.05, 0.35];
/** Logits are log-probabilities up to a constant. */
const logits = Float32Array.from(probabilities, (p) => Math.log(p) + 3);

/** How often each token is drawn in 20,000 draws. */
function frequencies(options: Parameters<typeof chooseToken>[2], allowed?: Int32Array): number[] {
  const rng = Rng.of(7, 'sampler');
  const counts = probabilities.map(() => 0);
  for (let i = 0; i < 20_000; i++) {
    counts[chooseToken(logits, { allowed, uniform: rng.uniform() }, options).token]! += 1 / 20_000;
  }
  return counts;
}

function expectClose(actual: number[], expected: number[]): void {
  for (const [i, value] of expected.entries()) expect(Math.abs(actual[i]! - value)).toBeLessThan(0.015);
}

describe('chooseToken', () => {
  it('takes the most likely of the allowed tokens at temperature 0', () => {
    expect(chooseToken(logits, { uniform: 0.99 }, { temperature: 0 }).token).toBe(1);
    const allowed = Int32Array.of(0, 2, 3);
    expect(chooseToken(logits, { allowed, uniform: 0 }, { temperature: 0 }).token).toBe(3);
  });

  it('gives the log-probability in the model distribution, whatever the temperature and the mask', () => {
    for (const options of [{ temperature: 0 }, { temperature: 3 }, { temperature: 0.2, topK: 1 }]) {
      const { token, logProb } = chooseToken(logits, { uniform: 0.3 }, options);
      expect(logProb).toBeCloseTo(Math.log(probabilities[token]!), 5);
    }
    const masked = chooseToken(logits, { allowed: Int32Array.of(2), uniform: 0 }, { temperature: 1 });
    expect(masked).toEqual({ token: 2, logProb: expect.closeTo(Math.log(0.05), 5) });
  });

  it('draws with the probabilities of the tempered softmax', () => {
    expectClose(frequencies({ temperature: 1 }), probabilities);
    const squared = probabilities.map((p) => p * p);
    const total = squared.reduce((a, b) => a + b);
    expectClose(
      frequencies({ temperature: 0.5 }),
      squared.map((p) => p / total),
    );
    expectClose(frequencies({ temperature: 1 }, Int32Array.of(0, 3)), [0.1 / 0.45, 0, 0, 0.35 / 0.45]);
  });

  it('keeps to the k most likely, and to the fewest with probability p', () => {
    expectClose(frequencies({ temperature: 1, topK: 2 }), [0, 0.5 / 0.85, 0, 0.35 / 0.85]);
    expectClose(frequencies({ temperature: 1, topP: 0.84 }), [0, 0.5 / 0.85, 0, 0.35 / 0.85]);
    expectClose(frequencies({ temperature: 1, topP: 0.4 }), [0, 1, 0, 0]);
  });

  it.each([
    { topK: 7 },
    { topK: 1 },
    { topK: 500 },
    { topP: 0.6 },
    { topP: 0.99 },
    { topP: 0 },
    { topK: 20, topP: 0.5 },
  ])('draws only what sorting all tokens would leave: %j', ({ topK = -1, topP = 1 }) => {
    const rng = Rng.of(3, 'logits');
    // many are equal, so that ties matter
    const many = Float32Array.from({ length: 300 }, () => Math.round(4 * rng.normal()) / 2);
    const temperature = 0.8;
    const sorted = [...many.keys()].sort((a, b) => many[b]! - many[a]! || a - b);
    const kept = topK > 0 ? sorted.slice(0, topK) : sorted;
    const weights = kept.map((token) => Math.exp(many[token]! / temperature));
    const total = weights.reduce((sum, w) => sum + w, 0);
    const needed = weights.findIndex((_, i) => {
      const held = weights.slice(0, i + 1).reduce((sum, w) => sum + w, 0);
      return held >= topP * total * (1 - 1e-12);
    });
    const expected = topP < 1 ? kept.slice(0, needed + 1) : kept;
    const drawn = new Set<number>();
    for (let i = 0; i < 4000; i++) {
      drawn.add(chooseToken(many, { uniform: i / 4000 }, { temperature, topK, topP }).token);
    }
    for (const token of drawn) expect(expected).toContain(token);
    for (const token of expected.slice(0, 30)) expect(drawn).toContain(token);
  });

  it('refuses an empty choice and logits that are not numbers', () => {
    expect(() => chooseToken(logits, { allowed: new Int32Array(0), uniform: 0 }, { temperature: 0 })).toThrow(
      RangeError,
    );
    expect(() => chooseToken(Float32Array.of(NaN, 1), { uniform: 0 }, { temperature: 1 })).toThrow(
      /not numbers/,
    );
  });
});
