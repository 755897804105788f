/** Every kernel of the backend `webgpu` against its plain form, on shapes that a seed draws. */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { Sampler } from '../../src/generation/sampler.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as ops from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import type { WebGpuBackend } from '../../src/tensors/webgpu/backend.js';
import { softwareAdapter, webGpuUnderTest } from '../prerequisites/index.js';
import { expectClose, integers, normal, type PlainTensor, runOn, uniform } from './helpers.js';

// the shapes are in the tests' own words
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;
type Computation = (...tensors: Any[]) => tf.Tensor;

interface Case {
  inputs: PlainTensor[];
  f: Computation;
  /** Inputs, the first ones, of which the gradients are compared too. */
  differentiable?: number;
  relative?: number;
}

describe.runIf(webGpuUnderTest().length > 0)('on an adapter', () => {
  beforeAll(async () => {
    await initBackend('webgpu', { device: softwareAdapter() });
  });

  const backend = () => tf.backend() as unknown as WebGpuBackend;

  /** The values of a computation, and its gradients by a sum with weights. */
  function withGradients({ f, differentiable = 0 }: Case, tensors: tf.Tensor[]): tf.Tensor[] {
    const fixed = tensors.slice(differentiable);
    const values = f(...tensors);
    if (differentiable === 0 || values.size === 0) return [values];
    const total = (...xs: tf.Tensor[]): tf.Scalar => {
      const out = f(...xs, ...fixed);
      const weights = Float32Array.from({ length: out.size }, (_, i) => Math.cos(i));
      return tf.sum(tf.mul(out, tf.tensor(weights, out.shape)));
    };
    return [values, ...tf.grads(total)(tensors.slice(0, differentiable))];
  }

  async function same(what: string, each: Case): Promise<void> {
    const expected = await runOn('cpu', each.inputs, (...tensors) =>
      ops.withPlainKernels(() => withGradients(each, tensors)),
    );
    const actual = await runOn('webgpu', each.inputs, (...tensors) => withGradients(each, tensors));
    const shapes = each.inputs.map(({ shape }) => `[${shape}]`);
    for (const [i, reference] of expected.entries()) {
      expectClose(actual[i]!, reference, each.relative ?? 3e-5, `${what} of ${shapes}, #${i}`);
    }
  }

  /** A size that is odd more often than not, and sometimes larger than a workgroup. */
  const sizeOf = (rng: Rng, most = 40): number => (rng.chance(0.2) ? rng.int(1, 2) : rng.int(1, most));
  /** Rows, none at times. */
  const rowsOf = (rng: Rng, most = 40): number => (rng.chance(0.1) ? 0 : sizeOf(rng, most));

  const cases: Record<string, (rng: Rng) => Case> = {
    linear(rng) {
      const [n, width, out] = [rowsOf(rng, 90), sizeOf(rng, 140), sizeOf(rng, 90)];
      const inputs = [normal(rng, [n, width]), normal(rng, [out, width]), normal(rng, [out])];
      return { inputs, f: (x, w, b) => ops.linear(x, w, b), differentiable: n === 0 ? 0 : 3 };
    },
    quantizedLinear(rng) {
      const [n, width, out] = [rowsOf(rng), 4 * sizeOf(rng, 30), sizeOf(rng, 50)];
      const weight = Float32Array.from(normal(rng, [out, width]).values);
      const { words, scales } = ops.quantizeRows(weight, width);
      const f: Computation = (x) =>
        ops.quantizedLinear(x, {
          words: tf.tensor2d(words, [out, width / 4], 'int32'),
          scales: tf.tensor1d(scales),
        });
      return { inputs: [normal(rng, [n, width])], f, differentiable: 1 };
    },
    rmsNorm(rng) {
      const [n, d] = [rowsOf(rng), sizeOf(rng, 200)];
      return {
        inputs: [normal(rng, [n, d], 3), normal(rng, [d])],
        f: (x, w) => ops.rmsNorm(x, w, 1e-6),
        differentiable: n === 0 ? 0 : 2,
      };
    },
    swiGlu(rng) {
      const shape = [rowsOf(rng), sizeOf(rng, 100)];
      return {
        inputs: [normal(rng, shape, 4), normal(rng, shape)],
        f: (a, b) => ops.swiGlu(a, b),
        differentiable: 2,
      };
    },
    geGlu(rng) {
      const shape = [rowsOf(rng), sizeOf(rng, 100)];
      return {
        inputs: [normal(rng, shape, 4), normal(rng, shape)],
        f: (a, b) => ops.geGlu(a, b),
        differentiable: 2,
      };
    },
    rotaryEmbedding(rng) {
      const [n, heads, half] = [rowsOf(rng), sizeOf(rng, 6), sizeOf(rng, 20)];
      const angles = [uniform(rng, [n, half], -1, 1), uniform(rng, [n, half], -1, 1)];
      return {
        inputs: [normal(rng, [n, heads, 2 * half]), ...angles],
        f: (x, cos, sin) => ops.rotaryEmbedding(x, cos, sin),
        differentiable: 1,
      };
    },
    dropout(rng) {
      const [n, width, rate, seed] = [
        rowsOf(rng),
        sizeOf(rng, 70),
        rng.uniform(),
        rng.int(-(2 ** 31), 2 ** 31 - 1),
      ];
      return {
        inputs: [normal(rng, [n, width]), integers(rng, [n], -(2 ** 31), 2 ** 31 - 1)],
        f: (x, names) => ops.dropout(x, rate, seed, names),
        differentiable: 1,
      };
    },
    embedding(rng) {
      const [rows, d, n] = [sizeOf(rng, 60), sizeOf(rng, 70), rowsOf(rng)];
      return {
        inputs: [normal(rng, [rows, d]), integers(rng, [n], 0, rows - 1)],
        f: (w, ids) => ops.embedding(w, ids),
        differentiable: n === 0 ? 0 : 1,
      };
    },
    headLogProbs(rng) {
      const [n, d, vocabulary, cap] = [
        sizeOf(rng),
        sizeOf(rng, 30),
        1 + sizeOf(rng, 300),
        rng.pick([undefined, 1.5]),
      ];
      return {
        inputs: [normal(rng, [n, d]), normal(rng, [vocabulary, d]), integers(rng, [n], 0, vocabulary - 1)],
        f: (hidden, head, labels) => ops.headLogProbs(hidden, head, labels, cap),
        differentiable: 2,
        relative: 5e-5,
      };
    },
    packedAttention(rng) {
      const [keyHeads, sharing, d] = [rng.int(1, 3), rng.int(1, 5), rng.pick([1, 6, 33])];
      const segments = [0];
      for (let i = rng.int(1, 4); i > 0; i--) segments.push(segments.at(-1)! + rng.int(0, 50));
      if (segments.at(-1) === 0) segments.push(1);
      const n = segments.at(-1)!;
      const limits = rng.pick([{}, { window: rng.int(2, 60) }, { softCap: 1.5 }, { softCap: 2, window: 9 }]);
      return {
        inputs: [
          normal(rng, [n, keyHeads * sharing, d], 2),
          normal(rng, [n, keyHeads, d], 2),
          normal(rng, [n, keyHeads, d]),
        ],
        f: (q, k, v) => ops.packedAttention(q, k, v, Int32Array.from(segments), d ** -0.5, limits),
        differentiable: n === 0 ? 0 : 3,
        relative: 1e-4,
      };
    },
    cachedAttention(rng) {
      const [keyHeads, sharing, d] = [rng.int(1, 3), rng.pick([1, 2, 3, 20]), rng.pick([1, 6, 33])];
      const [slots, maxLength] = [rng.int(1, 4), rng.int(30, 90)];
      // prompts that are read, single tokens and tokens that a grammar forces, in any order
      const rows: [number, number][] = [];
      for (let i = rng.int(1, 4); i > 0; i--) {
        const [slot, count] = [rng.int(0, slots - 1), rng.pick([1, 1, 3, rng.int(1, 30)])];
        const start = rng.int(1, maxLength - count);
        for (let j = 0; j < count; j++) rows.push([slot, start + j]);
      }
      const limits = rng.pick([{}, { window: rng.int(1, 40) }, { softCap: 1.5 }, { softCap: 2, window: 9 }]);
      const ids = [0, 1].map((i) => Int32Array.from(rows, (row) => row[i]!)) as [Int32Array, Int32Array];
      return {
        inputs: [
          normal(rng, [rows.length, keyHeads * sharing, d], 2),
          normal(rng, [slots, keyHeads, maxLength, d]),
          normal(rng, [slots, keyHeads, maxLength, d]),
        ],
        f: (q, k, v) => {
          const [slot, lengths] = ids.map((values) => tf.tensor1d(values, 'int32')) as [Any, Any];
          return ops.cachedAttention(q, k, v, slot, lengths, d ** -0.5, limits);
        },
      };
    },
    kvCacheWrite(rng) {
      const [slots, heads, length, d] = [rng.int(1, 4), rng.int(1, 3), rng.int(2, 30), sizeOf(rng, 30)];
      const places = rng.sample([...Array(slots * length).keys()], rng.int(1, slots * length));
      return {
        inputs: [normal(rng, [slots, heads, length, d]), normal(rng, [places.length, heads, d])],
        f: (given, rows) => {
          const cache = tf.variable(tf.add(given, 0), false);
          const [at, in_] = [0, 1].map((i) =>
            tf.tensor1d(
              places.map((place) => (i === 0 ? Math.floor(place / length) : place % length)),
              'int32',
            ),
          ) as [Any, Any];
          ops.kvCacheWrite(cache, rows, at, in_);
          const result = tf.add(cache, 0);
          cache.dispose();
          return result;
        },
        relative: 0,
      };
    },
    globalNorm(rng) {
      // more tensors than a kernel binds, one of them of several workgroups
      const sizes = Array.from({ length: rng.int(1, 20) }, () => rowsOf(rng, 3000));
      const inputs = [...sizes, 9000].map((size) => normal(rng, [size]));
      return { inputs, f: (...xs) => ops.globalNorm(xs), relative: 2e-6 };
    },
    roundedBlocks(rng) {
      const size = sizeOf(rng, 2000);
      const kind = rng.pick(['signed', 'positive'] as const);
      const x = normal(rng, [size]);
      if (kind === 'positive') x.values = x.values.map(Math.abs);
      const f: Computation = (t) => ops.wholeBlocks(ops.roundBlocks(t, kind), [size], kind);
      // a number between two steps may be rounded to either
      return { inputs: [x], f, relative: 0.05 };
    },
    scoreColumns(rng) {
      const [n, width, k] = [rowsOf(rng), sizeOf(rng, 3000), rng.int(0, 80)];
      return {
        inputs: [normal(rng, [n, width], 9), integers(rng, [n, k], 0, width - 1)],
        f: (logits, columns) => ops.scoreColumns(logits, columns),
        relative: 1e-6,
      };
    },
    softmax(rng) {
      const shape = [rowsOf(rng), sizeOf(rng, 3000)];
      return { inputs: [normal(rng, shape, 5)], f: (x) => tf.softmax(x), differentiable: 1 };
    },
    matMul(rng) {
      const unit = rng.pick([1, 4]);
      const [m, n, k] = [
        unit * sizeOf(rng, 80 / unit),
        unit * sizeOf(rng, 80 / unit),
        rng.chance(0.1) ? 0 : unit * sizeOf(rng, 80 / unit),
      ];
      const [a, b] = [rng.chance(0.5), rng.chance(0.5)];
      return {
        inputs: [normal(rng, a ? [k, m] : [m, k]), normal(rng, b ? [n, k] : [k, n])],
        f: (x, y) => tf.matMul(x, y, a, b),
        differentiable: k === 0 ? 0 : 2,
      };
    },
  };

  it.each(Object.keys(cases))('%s', async (name) => {
    const rng = Rng.of(20, 'webgpu', name);
    for (let i = 0; i < 6; i++) await same(name, cases[name]!(rng));
  });

  it('products of which both factors are read four numbers at a time', async () => {
    const rng = Rng.of(27, 'fours');
    const sizes = [
      [36, 44, 20],
      // with tiles of 64
      [516, 520, 12],
      // one of three sizes is no multiple of 4
      [33, 36, 40],
      [36, 33, 40],
      [36, 40, 33],
    ] as const;
    for (const [m, n, k] of sizes) {
      for (const [a, b] of [
        [false, false],
        [false, true],
        [true, false],
        [true, true],
      ]) {
        // both with batches, one of them, none
        const [batchA, batchB] = rng.pick([
          [[3], [3]],
          [[], [3]],
          [[3], []],
          [[], []],
        ]) as [number[], number[]];
        await same(`matMul, transposed ${a} and ${b}`, {
          inputs: [
            normal(rng, [...batchA, ...(a ? [k, m] : [m, k])]),
            normal(rng, [...batchB, ...(b ? [n, k] : [k, n])]),
          ],
          f: (x, y) => tf.matMul(x, y, a, b),
        });
      }
    }
  });

  it('the largest of each row, also where many are equal', async () => {
    const rng = Rng.of(21, 'largest');
    for (let i = 0; i < 10; i++) {
      const [rows, width] = [sizeOf(rng, 5), rng.pick([1, 7, 255, 256, 1000, 3001])];
      const make = rng.pick([
        () => normal(rng, [rows, width], 5),
        () => integers(rng, [rows, width], -3, 3, 'float32'),
        () => integers(rng, [rows, width], 2 ** 30, 2 ** 30 + 50),
      ]);
      const x = make();
      const k = Math.min(width, rng.pick([1, 2, 5, 64, 100, 1024]));
      const best = (t: Any): tf.Tensor[] => {
        if (tf.getBackend() === 'webgpu') backend().uploadToGPU(t.dataId);
        const { values, indices } = tf.topk(t, k);
        return [values, indices, tf.argMax(t, 1), tf.argMin(t, 0)];
      };
      const expected = await runOn('cpu', [x], best);
      // tfjs's backend `cpu` has equal numbers in any order
      for (let row = 0; row < rows; row++) {
        const own = x.values.slice(row * width, (row + 1) * width);
        const order = [...own.keys()].sort((a, b) => own[b]! - own[a]! || a - b).slice(0, k);
        expected[1]!.values.splice(row * k, k, ...order);
      }
      const actual = await runOn('webgpu', [x], best);
      for (const [j, reference] of expected.entries()) {
        expect(actual[j], `${k} of [${rows}, ${width}] #${j}`).toEqual(reference);
      }
    }
  });

  it('chooses the tokens that the plain forms choose, and reads no row of logits', async () => {
    const rng = Rng.of(22, 'choice');
    const [rows, width] = [5, 3000];
    const logits = normal(rng, [rows, width], 4);
    const choices = Array.from({ length: rows }, (_, row) => ({
      uniform: rng.uniform(),
      // a grammar allows some tokens to some rows
      allowed: row % 2 === 1 ? Int32Array.of(3, 17, 18, 2999) : undefined,
    }));
    for (const options of [
      { temperature: 0 },
      { temperature: 1, topK: 20 },
      { temperature: 0.7, topP: 0.9 },
      { temperature: 1.3 },
    ]) {
      const chosen = [];
      for (const name of ['cpu', 'webgpu']) {
        await initBackend(name);
        const given = tf.tensor2d(logits.values, [rows, width]);
        const read = vi.spyOn(tf.backend(), 'read');
        chosen.push(await new Sampler(options as never).choose(given, choices));
        if (name === 'webgpu') {
          const sizes = await Promise.all(read.mock.results.map(async ({ value }) => (await value).length));
          const most = 'topP' in options ? 2050 * rows : 300 * rows;
          expect(Math.max(...sizes), JSON.stringify(options)).toBeLessThanOrEqual(most);
          expect(sizes.length).toBeLessThanOrEqual(4);
        }
        read.mockRestore();
        given.dispose();
      }
      const [expected, actual] = chosen as [(typeof chosen)[0], (typeof chosen)[0]];
      for (const [row, choice] of expected.entries()) {
        expect(actual[row]!.token, `${JSON.stringify(options)}, row ${row}`).toBe(choice!.token);
        expect(actual[row]!.logProb).toBeCloseTo(choice!.logProb, 4);
      }
    }
  });

  it('what is not finite stays so in the rows that see it, and in no other', async () => {
    const rng = Rng.of(24, 'not finite');
    const [n, d, at] = [40, 6, 21];
    const broken = (shape: number[], value: number): PlainTensor => {
      const x = normal(rng, shape);
      x.values.fill(value, at * d, (at + 1) * d);
      return x;
    };
    const finiteRows = ({ shape, values }: PlainTensor): boolean[] => {
      const width = values.length / shape[0]!;
      return Array.from({ length: shape[0]! }, (_, row) =>
        values.slice(row * width, (row + 1) * width).every(Number.isFinite),
      );
    };
    for (const [value, softCap] of [
      [Number.NaN, undefined],
      [Number.NaN, 2],
      [Number.POSITIVE_INFINITY, undefined],
    ] as const) {
      const [q, v] = [normal(rng, [n, 2, d]), normal(rng, [n, 1, d])];
      const inputs = [q, broken([n, 1, d], value), v];
      const [attended] = await runOn('webgpu', inputs, (a: Any, b: Any, c: Any) =>
        ops.packedAttention(a, b, c, Int32Array.of(0, n), 1, softCap === undefined ? {} : { softCap }),
      );
      expect(finiteRows(attended!)).toEqual(Array.from({ length: n }, (_, row) => row < at));
      const [soft] = await runOn('webgpu', [broken([n, d], value)], (x) => tf.softmax(x));
      expect(finiteRows(soft!)).toEqual(Array.from({ length: n }, (_, row) => row !== at));
      const head = [broken([n, d], value), normal(rng, [50, d]), integers(rng, [n], 0, 49)];
      const [scored] = await runOn('webgpu', head, (a: Any, b: Any, c: Any) =>
        ops.headLogProbs(a, b, c, softCap),
      );
      expect(finiteRows(scored!)).toEqual(Array.from({ length: n }, (_, row) => row !== at));
    }
  });

  it('heads wider than 256, and a line that says how wide they may be', async () => {
    const rng = Rng.of(23, 'wide heads');
    const d = 257;
    const inputs = [normal(rng, [9, 4, d]), normal(rng, [9, 2, d]), normal(rng, [9, 2, d])];
    const segments = Int32Array.of(0, 2, 9);
    const packed: Computation = (q, k, v) => ops.packedAttention(q, k, v, segments, d ** -0.5);
    await same('packedAttention', { inputs, f: packed, differentiable: 3, relative: 1e-4 });
    const cache = [normal(rng, [2, 2, 12, d]), normal(rng, [2, 2, 12, d])];
    const cached: Computation = (q, k, v) => {
      const [slots, lengths] = [tf.tensor1d([0, 0, 1], 'int32'), tf.tensor1d([4, 5, 12], 'int32')];
      return ops.cachedAttention(q, k, v, slots, lengths, d ** -0.5);
    };
    await same('cachedAttention', { inputs: [normal(rng, [3, 4, d]), ...cache], f: cached });
    await initBackend('webgpu');
    const wide = tf.zeros<tf.Rank.R3>([1, 1, 5000]);
    expect(() => ops.packedAttention(wide, wide, wide, Int32Array.of(0, 1), 1)).toThrow(
      /^webgpu: attention with heads of 5000 numbers takes \d+ bytes of workgroup memory, and .+ has 32768: heads of up to 1363 are possible; use another `device` or `backend`$/,
    );
    wide.dispose();
  });

  it('more workgroups than one dimension of a dispatch has', { timeout: 120_000 }, async () => {
    // 65,535 workgroups of 64 elements are 4.2 million elements of 4 bytes, of which only the last are read
    const size = 65_535 * 64 + 777;
    const results = await runOn('webgpu', [], () => {
      const many = tf.concat([tf.fill([size - 2], 1), tf.fill([2], 5)]);
      const turned = tf.reverse(many);
      const gated = ops.swiGlu(tf.reshape(turned, [1, size]), tf.reshape(turned, [1, size]));
      const chosen = tf.where(tf.greater(many, 3), many, tf.fill([size], 2));
      return [
        tf.slice(many, [size - 3], [3]),
        tf.slice(turned, [0], [3]),
        tf.slice(gated, [0, size - 2], [1, 2]),
        tf.slice(chosen, [size - 3], [3]),
      ];
    });
    const [many, turned, gated, chosen] = results.map(({ values }) => values) as [number[], ...number[][]];
    expect(many).toEqual([1, 5, 5]);
    expect(turned).toEqual([5, 5, 1]);
    for (const value of gated!) expect(value).toBeCloseTo(1 / (1 + Math.exp(-1)), 5);
    expect(chosen).toEqual([2, 5, 5]);
  });
});
