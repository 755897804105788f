import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { initBackend } from '../../src/tensors/backend.js';
import {
  adamW,
  cachedAttention,
  dropout,
  dropoutName,
  embedding,
  geGlu,
  headLogProbs,
  kvCacheWrite,
  linear,
  packedAttention,
  rmsNorm,
  rotaryEmbedding,
  swiGlu,
  withPlainKernels,
} from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';

const rng = Rng.of(1);
const random = (...shape: number[]) =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
    shape,
  );
const ids = (...values: number[]) => tf.tensor1d(values, 'int32');

/** A kernel as a function of differentiable inputs, and what they are. */
interface Case {
  inputs: () => tf.Tensor[];
  run: (...inputs: tf.Tensor[]) => tf.Tensor;
}
const segments = Int32Array.of(0, 5, 6, 13);
const labels = [3, 0, 9, 3, 10, 7];
const cases: Record<string, Case> = {
  linear: {
    inputs: () => [random(7, 5), random(6, 5), random(6)],
    run: (x, w, b) => linear(x as tf.Tensor2D, w as tf.Tensor2D, b as tf.Tensor1D),
  },
  'linear without bias': {
    inputs: () => [random(33, 20), random(65, 20)],
    run: (x, w) => linear(x as tf.Tensor2D, w as tf.Tensor2D),
  },
  rmsNorm: {
    inputs: () => [random(7, 12), random(12)],
    run: (x, w) => rmsNorm(x as tf.Tensor2D, w as tf.Tensor1D, 1e-5),
  },
  rotaryEmbedding: {
    inputs: () => [random(4, 3, 8)],
    run: (x) => {
      const angles = tf.tensor2d(
        Array.from({ length: 16 }, (_, i) => 0.3 * i),
        [4, 4],
      );
      return rotaryEmbedding(x as tf.Tensor3D, tf.cos(angles), tf.sin(angles));
    },
  },
  swiGlu: {
    inputs: () => [random(5, 9), random(5, 9)],
    run: (gate, up) => swiGlu(gate as tf.Tensor2D, up as tf.Tensor2D),
  },
  geGlu: {
    inputs: () => [random(5, 9), random(5, 9)],
    run: (gate, up) => geGlu(gate as tf.Tensor2D, up as tf.Tensor2D),
  },
  'rmsNorm with weights around zero': {
    inputs: () => [random(7, 12), random(12)],
    run: (x, w) => rmsNorm(x as tf.Tensor2D, w as tf.Tensor1D, 1e-5, { unitOffset: true }),
  },
  'packedAttention with a window': {
    inputs: () => [random(13, 4, 8), random(13, 2, 8), random(13, 2, 8)],
    run: (q, k, v) =>
      packedAttention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, segments, 0.35, { window: 3 }),
  },
  'packedAttention with capped scores': {
    inputs: () => [random(13, 4, 8), random(13, 2, 8), random(13, 2, 8)],
    run: (q, k, v) =>
      packedAttention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, segments, 0.35, {
        softCap: 0.8,
        window: 5,
      }),
  },
  'headLogProbs of capped logits': {
    inputs: () => [random(6, 8), random(11, 8)],
    run: (h, w) => headLogProbs(h as tf.Tensor2D, w as tf.Tensor2D, ids(...labels), 2),
  },
  packedAttention: {
    inputs: () => [random(13, 4, 8), random(13, 2, 8), random(13, 2, 8)],
    run: (q, k, v) => packedAttention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, segments, 0.35),
  },
  headLogProbs: {
    inputs: () => [random(6, 8), random(11, 8)],
    run: (h, w) => headLogProbs(h as tf.Tensor2D, w as tf.Tensor2D, ids(...labels)),
  },
  embedding: {
    inputs: () => [random(11, 4)],
    run: (w) => embedding(w as tf.Tensor2D, ids(...labels)),
  },
  dropout: {
    inputs: () => [random(10, 10)],
    run: (x) => dropout(x as tf.Tensor2D, 0.3, 77, ids(...Array(10).keys())),
  },
};

function largestError(a: tf.Tensor, b: tf.Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return tf.tidy(() => {
    const scale = Math.max(1, tf.max(tf.abs(b)).dataSync()[0]!);
    return tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]! / scale;
  });
}

/** The value and the gradients of Σ weights · output. */
function valueAndGradients({ run }: Case, inputs: tf.Tensor[], weights: tf.Tensor): tf.Tensor[] {
  const f = (...x: tf.Tensor[]) => tf.sum(tf.mul(run(...x), weights)) as tf.Scalar;
  return [tf.tidy(() => run(...inputs)), ...tf.grads(f)(inputs)];
}

describe.each(['cpu', 'wasm'])('on backend %s', (backend) => {
  beforeAll(async () => {
    await initBackend(backend);
  });

  describe.each(Object.entries(cases))('%s', (_, test) => {
    it('has gradients that finite differences agree with', () => {
      const inputs = test.inputs();
      const output = tf.tidy(() => test.run(...inputs));
      const weights = random(...output.shape);
      const gradients = valueAndGradients(test, inputs, weights).slice(1);
      const loss = (x: tf.Tensor[]) => tf.tidy(() => tf.sum(tf.mul(test.run(...x), weights)).dataSync()[0]!);
      inputs.forEach((input, i) => {
        const direction = random(...input.shape);
        const moved = (step: number) =>
          inputs.map((x, j) => (j === i ? tf.add(x, tf.mul(direction, step)) : x));
        const numeric = (loss(moved(0.01)) - loss(moved(-0.01))) / 0.02;
        const exact = tf.tidy(() => tf.sum(tf.mul(gradients[i]!, direction)).dataSync()[0]!);
        expect(Math.abs(numeric - exact), `input ${i}`).toBeLessThan(0.01 * Math.max(1, Math.abs(exact)));
      });
    });

    it("equals its plain form, with the backend's own kernels and without", () => {
      const inputs = test.inputs();
      const weights = random(...tf.tidy(() => test.run(...inputs)).shape);
      const own = valueAndGradients(test, inputs, weights);
      const plain = withPlainKernels(() => valueAndGradients(test, inputs, weights));
      own.forEach((tensor, i) => {
        expect(largestError(tensor, plain[i]!), i === 0 ? 'value' : `gradient ${i}`).toBeLessThan(2e-5);
      });
    });

    it('holds nothing afterwards', () => {
      const inputs = test.inputs();
      const weights = random(...tf.tidy(() => test.run(...inputs)).shape);
      const before = tf.memory().numTensors;
      tf.dispose(valueAndGradients(test, inputs, weights));
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  it('packedAttention sees neither the future nor other samples', () => {
    const [q, k, v] = [random(6, 2, 4), random(6, 1, 4), random(6, 1, 4)] as [
      tf.Tensor3D,
      tf.Tensor3D,
      tf.Tensor3D,
    ];
    const run = (keys: tf.Tensor3D, values: tf.Tensor3D) =>
      packedAttention(q, keys, values, Int32Array.of(0, 3, 6), 0.5).arraySync();
    const before = run(k, v);
    const noise = tf.concat([tf.zeros([4, 1, 4]), tf.fill([1, 1, 4], 5), tf.zeros([1, 1, 4])]) as tf.Tensor3D;
    const after = run(tf.add(k, noise), tf.add(v, noise));
    expect(after.slice(0, 4)).toEqual(before.slice(0, 4));
    expect(after[4]).not.toEqual(before[4]);
    expect(after[5]).not.toEqual(before[5]);
    // a sample's first token sees itself alone
    const first = (v.arraySync() as number[][][])[3]![0]!;
    for (const head of before[3]!) head.forEach((value, i) => void expect(value).toBeCloseTo(first[i]!, 5));
  });

  it.each([
    [1, undefined],
    [3, undefined],
    [9, undefined],
    [10, undefined],
    [undefined, 0.9],
    [4, 0.9],
  ])('a window of %s, scores capped at %s: what the sums of their definition give', (window, softCap) => {
    const [n, heads, d] = [10, 2, 4];
    const [q, k, v] = [random(n, heads, d), random(n, 1, d), random(n, 1, d)] as tf.Tensor3D[];
    const [queries, keys, values] = [q!.arraySync(), k!.arraySync(), v!.arraySync()];
    const bounds = [0, 3, 10];
    const expected = queries.map((row, i) => {
      const start = i < 3 ? 0 : 3;
      return row.map((query) => {
        const sums = new Float64Array(d);
        let total = 0;
        for (let j = start; j <= i; j++) {
          // transformers' convention: `kv_idx > q_idx - sliding_window`
          if (window !== undefined && !(j > i - window)) continue;
          const score = 0.7 * query.reduce((sum, x, at) => sum + x * keys[j]![0]![at]!, 0);
          const weight = Math.exp(softCap === undefined ? score : softCap * Math.tanh(score / softCap));
          total += weight;
          for (let at = 0; at < d; at++) sums[at]! += weight * values[j]![0]![at]!;
        }
        return Array.from(sums, (sum) => sum / total);
      });
    });
    const limits = { window, softCap };
    const packed = packedAttention(q!, k!, v!, Int32Array.from(bounds), 0.7, limits);
    expect(largestError(packed, tf.tensor3d(expected))).toBeLessThan(1e-5);
    // the second sample in a cache, read at once and row by row
    const cache = (rows: tf.Tensor3D) =>
      tf.reshape(tf.concat([tf.slice(rows, [3, 0, 0]), tf.ones([2, 1, d])]), [1, 1, 9, d]) as tf.Tensor4D;
    const rows = tf.slice(q!, [3, 0, 0]);
    const lengths = Array.from({ length: 7 }, (_, i) => i + 1);
    const cached = (order: number[]) =>
      cachedAttention(
        tf.gather(rows, ids(...order)),
        cache(k!),
        cache(v!),
        ids(...order.map(() => 0)),
        ids(...order.map((i) => lengths[i]!)),
        0.7,
        limits,
      );
    for (const order of [[0, 1, 2, 3, 4, 5, 6], [6, 2, 4], [5]]) {
      const wanted = tf.tensor3d(order.map((i) => expected[3 + i]!));
      expect(largestError(cached(order), wanted)).toBeLessThan(1e-5);
    }
  });

  it('the cache kernels equal packedAttention, for rows of several slots in any order', () => {
    const length = 9;
    const [q, k, v] = [random(length, 4, 8), random(length, 2, 8), random(length, 2, 8)] as tf.Tensor3D[];
    const expected = packedAttention(q!, k!, v!, Int32Array.of(0, length), 0.3);
    const make = () => tf.variable(tf.fill([3, 2, 12, 8], 9), false);
    const [keys, values] = [make(), make()];
    const positions = tf.range(0, length, 1, 'int32');
    for (const slot of [2, 0]) {
      const slots = tf.fill([length], slot, 'int32') as tf.Tensor1D;
      kvCacheWrite(keys, k!, slots, positions);
      kvCacheWrite(values, v!, slots, positions);
    }
    const order = [8, 0, 3, 4, 5];
    const rows = tf.gather(q!, ids(...order));
    const out = cachedAttention(
      rows as tf.Tensor3D,
      keys as tf.Tensor4D,
      values as tf.Tensor4D,
      ids(2, 0, 0, 0, 2),
      ids(...order.map((position) => position + 1)),
      0.3,
    );
    expect(largestError(out, tf.gather(expected, ids(...order)))).toBeLessThan(1e-5);
    // slot 1 and positions past the end were not touched
    expect(
      tf
        .slice(keys, [1, 0, 0, 0], [1, -1, -1, -1])
        .dataSync()
        .every((x) => x === 9),
    ).toBe(true);
    expect(
      tf
        .slice(keys, [0, 0, length, 0], [1, -1, -1, -1])
        .dataSync()
        .every((x) => x === 9),
    ).toBe(true);
  });

  it('adamW is the formula, also where a gradient is zero', () => {
    const options = { lr: 0.1, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.2 };
    const start = [1, -2, 0.5];
    const gradients = [
      [0.3, 0, -4],
      [-1, 0, 2],
    ];
    const p = tf.variable(tf.tensor1d(start));
    const [m, v] = [tf.variable(tf.zeros([3]), false), tf.variable(tf.zeros([3]), false)];
    const before = tf.memory().numTensors;
    gradients.forEach((gradient, i) => {
      const g = tf.tensor1d(gradient);
      adamW([p], [g], [m], [v], { ...options, step: i + 1 });
      g.dispose();
    });
    expect(tf.memory().numTensors).toBe(before);
    const expected = start.map((value, i) => {
      let [x, first, second] = [value, 0, 0];
      gradients.forEach((gradient, n) => {
        x *= 1 - options.lr * options.weightDecay;
        first = options.beta1 * first + (1 - options.beta1) * gradient[i]!;
        second = options.beta2 * second + (1 - options.beta2) * gradient[i]! ** 2;
        const corrected = first / (1 - options.beta1 ** (n + 1));
        x -=
          (options.lr * corrected) / (Math.sqrt(second / (1 - options.beta2 ** (n + 1))) + options.epsilon);
      });
      return x;
    });
    p.dataSync().forEach((value, i) => void expect(value).toBeCloseTo(expected[i]!, 5));
  });

  it('dropout drops about the asked share, keeps the mean, and depends on the seed and the names of rows', () => {
    const x = tf.ones<tf.Rank.R2>([200, 100]);
    const names = ids(...Array.from({ length: 200 }, (_, i) => dropoutName(i % 7, i)));
    const values = dropout(x, 0.25, 5, names).dataSync();
    const dropped = values.filter((value) => value === 0).length / values.length;
    expect(Math.abs(dropped - 0.25)).toBeLessThan(0.015);
    expect(Math.max(...values)).toBeCloseTo(1 / 0.75, 5);
    expect(dropout(x, 0.25, 5, names).dataSync()).toEqual(values);
    expect(dropout(x, 0.25, 6, names).dataSync()).not.toEqual(values);
    expect(dropout(x, 0, 6, names)).toBe(x);
    // a row has its mask wherever it stands
    const last = tf.slice(names, [150], [50]) as tf.Tensor1D;
    expect(dropout(tf.slice(x, [150, 0], [50, 100]), 0.25, 5, last).dataSync()).toEqual(values.slice(15_000));
    const rows = Array.from({ length: 200 }, (_, i) => values.slice(100 * i, 100 * (i + 1)).join());
    expect(new Set(rows).size).toBe(200);
    expect(() => dropout(x, 0.25, 5, last)).toThrow('expected names of 200 rows, found 50');
  });
});
