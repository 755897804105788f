import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { pickToken, type SamplingOptions } from '../../src/generation/choice.js';
import { type Choice, Sampler } from '../../src/generation/sampler.js';
import { VocabularyCut } from '../../src/models/index.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { backendsUnderTest, openBackends } from '../prerequisites/index.js';

const probabilities = [0.1, 0.5, 0.05, 0.35];
/** Logits are log-probabilities up to a constant. */
const logits = Float32Array.from(probabilities, (p) => Math.log(p) + 3);

/** How often each candidate is drawn for 20,000 numbers that are spread evenly. */
function frequencies(options: SamplingOptions): number[] {
  const counts = probabilities.map(() => 0);
  for (let i = 0; i < 20_000; i++) counts[pickToken(logits, i / 20_000, options)]! += 1 / 20_000;
  return counts;
}

function expectClose(actual: number[], expected: number[]): void {
  for (const [i, value] of expected.entries()) expect(Math.abs(actual[i]! - value)).toBeLessThan(0.001);
}

describe('pick', () => {
  it('takes the most likely at temperature 0, the first among equals', () => {
    expect(pickToken(logits, 0.99, { temperature: 0 })).toBe(1);
    expect(pickToken(Float32Array.of(1, 3, 2, 3), 0.99, { temperature: 0 })).toBe(1);
  });

  it('draws with the probabilities of the tempered softmax', () => {
    expectClose(frequencies({ temperature: 1 }), probabilities);
    const squared = probabilities.map((p) => p * p);
    const total = squared.reduce((a, b) => a + b);
    expectClose(
      frequencies({ temperature: 0.5 }),
      squared.map((p) => p / total),
    );
  });

  it('keeps to the k most likely, and to the fewest with probability p', () => {
    expectClose(frequencies({ temperature: 1, topK: 2 }), [0, 0.5 / 0.85, 0, 0.35 / 0.85]);
    expectClose(frequencies({ temperature: 1, topP: 0.84 }), [0, 0.5 / 0.85, 0, 0.35 / 0.85]);
    expectClose(frequencies({ temperature: 1, topP: 0.4 }), [0, 1, 0, 0]);
    expectClose(frequencies({ temperature: 1, minP: 0.69 }), [0, 0.5 / 0.85, 0, 0.35 / 0.85]);
    expectClose(frequencies({ temperature: 1, minP: 0.71 }), [0, 1, 0, 0]);
  });
});

/** The tokens that sorting all of them would leave to be drawn, the most likely first. */
function drawable(
  many: Float32Array,
  { temperature, topK = -1, topP = 1, minP = 0 }: SamplingOptions,
): number[] {
  const order = [...many.keys()].sort((a, b) => many[b]! - many[a]! || a - b);
  const kept = topK > 0 ? order.slice(0, topK) : order;
  const weights = kept.map((token) => Math.exp(many[token]! / temperature));
  const total = weights.reduce((sum, w) => sum + w, 0);
  let held = 0;
  const needed = weights.findIndex((weight) => {
    held += weight;
    return held >= topP * total;
  });
  const among = topP < 1 ? kept.slice(0, needed + 1) : kept;
  return minP > 0 ? among.filter((_, i) => weights[i]! >= minP * weights[0]! * (1 - 1e-9)) : among;
}

const settings: SamplingOptions[] = [
  { temperature: 0 },
  { temperature: 1 },
  { temperature: 0.8, topK: 7 },
  { temperature: 0.8, topK: 1 },
  { temperature: 0.8, topK: 5000 },
  { temperature: 0.7, topP: 0.6 },
  { temperature: 1, topP: 0.99 },
  { temperature: 1, topP: 0 },
  { temperature: 0.8, topK: 20, topP: 0.5 },
  { temperature: 0.8, minP: 0.05 },
  { temperature: 1, minP: 0.999 },
  { temperature: 0.5, minP: 1 },
  { temperature: 0.8, topK: 20, topP: 0.9, minP: 0.2 },
  { temperature: 0.9, topP: 0.72, minP: 0.01 },
];

const width = 1500;
/** Rows of logits that have nearly all their weight on few tokens, or are so flat that top-p needs most of them. */
function makeRows(count: number): Float32Array[] {
  const rng = Rng.of(3, 'logits');
  return Array.from({ length: count }, (_, row) =>
    Float32Array.from({ length: width }, () => (row % 3 === 0 ? 0.01 : 3) * rng.normal()),
  );
}

function allowedOf(row: number): Int32Array | undefined {
  if (row % 2 === 0) return undefined;
  return Int32Array.from(Rng.of(4, 'allowed', row).sample([...Array(width).keys()], 1 + (row % 13))).sort();
}

describe.each(openBackends(['cpu', ...backendsUnderTest({ awaited: true })]))('Sampler on %s', (backend) => {
  beforeAll(() => initBackend(backend));

  async function choose(
    rows: Float32Array[],
    choices: Choice[],
    options: SamplingOptions,
    cut?: VocabularyCut,
  ) {
    const all = Float32Array.from(rows.flatMap((row) => [...row]));
    const matrix = tf.tensor2d(all, [rows.length, rows[0]!.length]);
    const before = tf.memory().numTensors;
    try {
      return await new Sampler(options, cut).choose(matrix, choices);
    } finally {
      expect(tf.memory().numTensors).toBe(before);
      matrix.dispose();
    }
  }

  it.each(settings)(
    'chooses what inverting the cumulative sum of all tokens would choose: %j',
    async (options) => {
      const rows = makeRows(60);
      const rng = Rng.of(5, 'uniform');
      const choices = rows.map((_, row) => ({ allowed: allowedOf(row), uniform: rng.uniform() }));
      const chosen = await choose(rows, choices, options);
      for (const [i, found] of chosen.entries()) {
        const { token, logProb } = found!;
        const row = rows[i]!;
        const { allowed, uniform } = choices[i]!;
        const candidates = allowed ? [...allowed] : [...row.keys()];
        const own = Float32Array.from(candidates, (candidate) => row[candidate]!);
        let expected = drawable(own, options);
        if (options.temperature === 0) expected = expected.slice(0, 1);
        // without a limit tokens are taken in the order of their ids
        else if (!options.topK && options.topP === undefined && !options.minP) expected.sort((a, b) => a - b);
        const weights = expected.map((at) => Math.exp(own[at]! / (options.temperature || 1)));
        const total = weights.reduce((sum, w) => sum + w, 0);
        const position = expected.findIndex((at) => candidates[at] === token);
        expect(position).toBeGreaterThanOrEqual(0);
        const until = weights.slice(0, position).reduce((sum, w) => sum + w, 0) / total;
        expect(uniform).toBeGreaterThan(options.temperature === 0 ? -1 : until - 1e-5);
        expect(uniform).toBeLessThan(
          options.temperature === 0 ? 1 : until + weights[position]! / total + 1e-5,
        );
        // in the model's own distribution, whatever the temperature and the mask
        const sum = row.reduce((s, value) => s + Math.exp(value), 0);
        expect(logProb).toBeCloseTo(row[token]! - Math.log(sum), 4);
      }
    },
  );

  it('draws every row as if it were alone', async () => {
    const rows = makeRows(6);
    const choices = rows.map((_, row) => ({ allowed: allowedOf(row), uniform: (row + 0.5) / 6 }));
    for (const options of settings) {
      const together = await choose(rows, choices, options);
      for (const [i, row] of rows.entries()) {
        const [alone] = await choose([row], [choices[i]!], options);
        expect(alone!.token).toBe(together[i]!.token);
      }
    }
  });

  it('takes the first of equal logits at temperature 0', async () => {
    const flat = new Float32Array(width).fill(1);
    const [free, bound] = await choose(
      [flat, flat],
      [{ uniform: 0.5 }, { uniform: 0.5, allowed: Int32Array.of(9, 40) }],
      { temperature: 0 },
    );
    expect(free!.token).toBe(0);
    expect(bound!.token).toBe(9);
    expect(free!.logProb).toBeCloseTo(-Math.log(width), 4);
  });

  it('knows tokens by their ids where the vocabulary is cut', async () => {
    const kept = Int32Array.of(2, 3, 5, 7, 11, 13);
    const row = Float32Array.of(0, 5, 1, 4, 0, -2);
    const cut = new VocabularyCut(kept, 20);
    const choices = [{ uniform: 0.1 }, { uniform: 0.1, allowed: Int32Array.of(5, 7) }];
    for (const options of settings) {
      const [free, bound] = await choose([row, row], choices, options, cut);
      expect(kept).toContain(free!.token);
      expect([5, 7]).toContain(bound!.token);
    }
    const [free, bound] = await choose([row, row], choices, { temperature: 0 }, cut);
    expect([free!.token, bound!.token]).toEqual([3, 7]);
  });

  it('refuses an empty choice, and chooses nothing where logits are not finite', async () => {
    const none = [{ allowed: new Int32Array(0), uniform: 0 }];
    await expect(choose([logits], none, { temperature: 0 })).rejects.toThrow(RangeError);
    for (const options of settings) {
      for (const wrong of [NaN, Infinity]) {
        const rows = [Float32Array.of(1, 2, 0, 2), Float32Array.of(1, wrong, 0, 2)];
        for (const allowed of [undefined, Int32Array.of(0, 2), Int32Array.of(1, 2)]) {
          const choices = rows.map(() => ({ uniform: 0.3, allowed }));
          const [sound, broken] = await choose(rows, choices, options);
          expect(sound!.logProb).toBeLessThan(0);
          expect(broken).toBeNull();
        }
      }
    }
  });
});
