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

  it('refuses an empty choice and logits that are not numbers', () => {
    expect(() => chooseToken(logits, { allowed: new Int32Array(0), uniform: 0 }, { temperature: 0 })).toThrow(
      RangeError,
    );
    expect(() => chooseToken(Float32Array.of(NaN, 1), { uniform: 0 }, { temperature: 1 })).toThrow(
      /not numbers/,
    );
  });
});
