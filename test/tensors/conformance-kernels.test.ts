/** The named kernels of every backend give what their plain forms give on tfjs's `cpu` backend. */
import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import {
  type AttentionLimits,
  adamW,
  addEach,
  cachedAttention,
  dequantize,
  dropout,
  embedding,
  frozenLinear,
  geGlu,
  globalNorm,
  headLogProbs,
  kvCacheCopy,
  kvCacheWrite,
  linear,
  lowRankSum,
  packedAttention,
  quantizedLinear,
  quantizeRows,
  rmsNorm,
  rotaryEmbedding,
  scaleEach,
  scoreColumns,
  swiGlu,
  withPlainKernels,
} from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { backendsUnderTest, openBackends } from '../prerequisites/index.js';
import {
  expectClose,
  integers,
  normal,
  type PlainTensor,
  place,
  referenceOf,
  runOn,
  uniform,
} from './helpers.js';

const backends = openBackends(backendsUnderTest({ awaited: true }));

// the helpers take untyped tensors; shapes are in the test's own words
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;
type Computation = (...tensors: Any[]) => tf.Tensor;

/** Compares a kernel and its gradient with respect to the first `differentiable` inputs. */
async function compare(
  backend: string,
  what: string,
  inputs: PlainTensor[],
  f: Computation,
  differentiable = inputs.length,
  relative = 2e-5,
): Promise<void> {
  const all = (...tensors: tf.Tensor[]): tf.Tensor[] => {
    const fixed = tensors.slice(differentiable);
    const total = (...xs: tf.Tensor[]): tf.Scalar => {
      const out = f(...xs, ...fixed);
      // made on the host, so that every backend has the same
      const weights = Float32Array.from({ length: out.size }, (_, i) => Math.cos(i));
      return tf.sum(tf.mul(out, tf.tensor(weights, out.shape)));
    };
    return [f(...tensors), ...tf.grads(total)(tensors.slice(0, differentiable))];
  };
  const expected = await referenceOf(what, inputs, (...tensors) => withPlainKernels(() => all(...tensors)));
  const actual = await runOn(backend, inputs, all);
  for (const [i, reference] of expected.entries()) {
    const shapes = inputs.map((x) => x.shape.join('×'));
    expectClose(actual[i]!, reference, relative, `${what} [${shapes}] #${i}`);
  }
}

/** Bounds of samples of random lengths. */
function randomSegments(rng: Rng, count: number, longest: number): Int32Array {
  const segments = [0];
  for (let i = 0; i < count; i++) segments.push(segments.at(-1)! + rng.int(1, longest));
  return Int32Array.from(segments);
}

/** As layers of one model may alternate them. */
const cacheLimits: AttentionLimits[] = [
  {},
  { window: 1 },
  { window: 3 },
  { window: 7 },
  { window: 20 },
  { window: 70 },
  { softCap: 1.5 },
  { softCap: 0.8, window: 6 },
];

describe.each(backends)('%s', (backend) => {
  test('linear', async () => {
    const rng = Rng.of(1, 'linear');
    for (const [n, input, out] of [
      [1, 64, 33],
      [3, 31, 7],
      [8, 130, 66],
      [9, 5, 3],
      [200, 96, 40],
    ] as const) {
      const [x, w, b] = [normal(rng, [n, input]), normal(rng, [out, input]), normal(rng, [out])];
      await compare(backend, 'linear', [x, w, b], (...t) => linear(t[0], t[1], t[2]));
      await compare(backend, 'linear', [x, w], (...t) => linear(t[0], t[1]));
      // its weight is no input: it has no gradient
      await compare(backend, 'frozenLinear', [x], (t) => frozenLinear(t, place(w) as Any));
    }
  });

  test('lowRankSum', async () => {
    const rng = Rng.of(21, 'lowRankSum');
    for (const [n, input, terms] of [
      // a width and a rank for each term
      [1, 64, [[33, 4]]],
      [
        3,
        31,
        [
          [7, 2],
          [5, 9],
        ],
      ],
      [
        8,
        130,
        [
          [66, 16],
          [12, 1],
          [12, 16],
        ],
      ],
      [
        200,
        96,
        [
          [40, 3],
          [20, 8],
        ],
      ],
    ] as [number, number, [number, number][]][]) {
      const ranks = terms.reduce((sum, [, rank]) => sum + rank, 0);
      const inputs = [normal(rng, [n, input]), normal(rng, [input, ranks])];
      for (const [out, rank] of terms)
        inputs.push(normal(rng, [n, out]), normal(rng, [rank, out]), normal(rng, [out]));
      const f =
        (factored: (i: number) => boolean) =>
        (x: Any, a: Any, ...rest: Any[]) =>
          lowRankSum(
            x,
            a,
            terms.map((_, i) => {
              const [sum, b, factor] = rest.slice(3 * i);
              return { sum, b, factor: factored(i) ? factor : undefined };
            }),
          );
      for (const factored of [() => false, () => true, (i: number) => i === 1]) {
        const expected = await runOn('cpu', inputs, (...t) =>
          withPlainKernels(() => f(factored)(t[0], t[1], ...t.slice(2))),
        );
        const actual = await runOn(backend, inputs, (...t) => f(factored)(t[0], t[1], ...t.slice(2)));
        for (const [i, reference] of expected.entries()) {
          expectClose(actual[i]!, reference, 2e-5, `lowRankSum [${n}, ${input}] #${i}`);
        }
      }
    }
  });

  test('quantizedLinear', async () => {
    const rng = Rng.of(19, 'quantizedLinear');
    for (const [n, width, out] of [
      // few rows are multiplied otherwise than many
      [1, 64, 33],
      [2, 36, 12],
      [3, 4, 7],
      [2, 40, 32],
      [9, 132, 5],
      [200, 96, 40],
    ] as const) {
      const weight = normal(rng, [out, width]);
      weight.values.fill(0, 0, width);
      const { words, scales } = quantizeRows(Float32Array.from(weight.values), width);
      const matrix = () => ({
        words: tf.tensor2d(words, [out, width / 4], 'int32'),
        scales: tf.tensor1d(scales),
      });
      // no element is further from its integer than half of its row's unit
      const whole = await runOn(backend, [], () => dequantize(matrix()));
      for (const [i, value] of whole[0]!.values.entries()) {
        const unit = scales[Math.floor(i / width)]!;
        expect(Math.abs(value - weight.values[i]!)).toBeLessThanOrEqual(unit * 0.5001);
      }
      const [x, b] = [normal(rng, [n, width]), normal(rng, [out])];
      await compare(backend, 'quantizedLinear', [x], (t) => quantizedLinear(t, matrix()));
      await compare(backend, 'quantizedLinear', [x, b], (...t) => quantizedLinear(t[0], matrix(), t[1]));
      const plain = await referenceOf('dequantize', [], () => withPlainKernels(() => dequantize(matrix())));
      expectClose(whole[0]!, plain[0]!, 1e-7, 'dequantize');
    }
  });

  test('rmsNorm', async () => {
    const rng = Rng.of(2, 'rmsNorm');
    for (const [n, d] of [
      [1, 1],
      [5, 7],
      [33, 64],
      [300, 130],
      [2, 41],
    ] as const) {
      const inputs = [normal(rng, [n, d], 3), normal(rng, [d])];
      await compare(backend, 'rmsNorm', inputs, (...t) => rmsNorm(t[0], t[1], 1e-6));
    }
  });

  test('rotaryEmbedding', async () => {
    const rng = Rng.of(3, 'rotary');
    for (const [n, heads, headDim, rotated] of [
      [1, 1, 2, 2],
      [7, 3, 6, 6],
      [40, 4, 16, 16],
      [9, 2, 64, 64],
      // the rest of each head stays
      [5, 3, 8, 6],
      [1, 2, 128, 96],
    ] as const) {
      const inputs = [normal(rng, [n, heads, headDim])];
      for (let i = 0; i < 2; i++) inputs.push(uniform(rng, [n, rotated / 2], -1, 1));
      await compare(backend, 'rotary', inputs, (...t) => rotaryEmbedding(t[0], t[1], t[2]), 1);
    }
  });

  test('swiGlu', async () => {
    const rng = Rng.of(4, 'swiGlu');
    for (const shape of [
      [1, 1],
      [3, 5],
      [64, 257],
    ]) {
      await compare(backend, 'swiGlu', [normal(rng, shape, 4), normal(rng, shape)], (...t) =>
        swiGlu(t[0], t[1]),
      );
    }
  });

  test('geGlu', async () => {
    const rng = Rng.of(44, 'geGlu');
    for (const shape of [
      [1, 1],
      [3, 5],
      [64, 257],
    ]) {
      await compare(backend, 'geGlu', [normal(rng, shape, 4), normal(rng, shape)], (...t) =>
        geGlu(t[0], t[1]),
      );
    }
  });

  test('rmsNorm with weights around zero', async () => {
    const rng = Rng.of(45, 'unit offset');
    const inputs = [normal(rng, [33, 41], 3), normal(rng, [41])];
    await compare(backend, 'rmsNorm', inputs, (...t) => rmsNorm(t[0], t[1], 1e-6, { unitOffset: true }));
  });

  test.each<AttentionLimits>([
    { window: 1 },
    { window: 2 },
    { window: 63 },
    { window: 64 },
    { window: 65 },
    { window: 129 },
    { window: 300 },
    { softCap: 2 },
    { softCap: 0.7, window: 5 },
    { softCap: 5, window: 100 },
  ])('packedAttention within limits %o', async (limits) => {
    const rng = Rng.of(46, 'limits', JSON.stringify(limits));
    for (const [heads, keyHeads, d, count, longest] of [
      [1, 1, 4, 1, 3],
      [4, 2, 16, 3, 40],
      [2, 1, 10, 2, 150],
      [6, 2, 8, 4, 30],
      [2, 2, 6, 0, 600],
    ] as const) {
      const segments = count === 0 ? Int32Array.of(0, longest) : randomSegments(rng, count, longest);
      const n = segments.at(-1)!;
      const inputs = [
        normal(rng, [n, keyHeads, d]),
        normal(rng, [n, heads, d], 2),
        normal(rng, [n, keyHeads, d], 2),
      ];
      const f: Computation = (v, q, k) => packedAttention(q, k, v, segments, d ** -0.5, limits);
      // whoever sees one key has weight 1 for it, and queries and keys no gradient
      const differentiable = limits.window === 1 ? 1 : 3;
      await compare(backend, `packedAttention ${segments}`, inputs, f, differentiable, 5e-5);
    }
    // samples as long as the window, one shorter, one longer, and none
    const { window = 4 } = limits;
    const segments = Int32Array.of(0, window, 2 * window - 1, 2 * window - 1, 3 * window);
    const n = 3 * window;
    const inputs = [normal(rng, [n, 1, 6]), normal(rng, [n, 2, 6], 2), normal(rng, [n, 1, 6], 2)];
    const f: Computation = (v, q, k) => packedAttention(q, k, v, segments, 0.4, limits);
    await compare(backend, `packedAttention ${segments}`, inputs, f, limits.window === 1 ? 1 : 3, 5e-5);
  });

  test('packedAttention: grouped heads, several samples, blocks cut anywhere', async () => {
    const rng = Rng.of(5, 'attention');
    for (const [heads, keyHeads, d, count, longest] of [
      [1, 1, 4, 1, 3],
      [4, 2, 16, 3, 40],
      [2, 1, 10, 2, 150],
      [6, 2, 8, 4, 30],
      [2, 2, 64, 1, 129],
      [1, 1, 6, 1, 64],
    ] as const) {
      const segments = randomSegments(rng, count, longest);
      const n = segments.at(-1)!;
      const inputs = [
        normal(rng, [n, heads, d], 2),
        normal(rng, [n, keyHeads, d], 2),
        normal(rng, [n, keyHeads, d]),
      ];
      const f: Computation = (q, k, v) => packedAttention(q, k, v, segments, d ** -0.5);
      await compare(backend, `packedAttention ${segments}`, inputs, f, 3, 5e-5);
    }
    const segments = Int32Array.from([0, 129, 193]);
    const inputs = [normal(rng, [193, 2, 8], 5), normal(rng, [193, 1, 8], 5), normal(rng, [193, 1, 8])];
    await compare(backend, 'sharp', inputs, (q, k, v) => packedAttention(q, k, v, segments, 1), 3, 2e-4);
  });

  test('headLogProbs: blocks of rows and of the vocabulary', async () => {
    const rng = Rng.of(6, 'head');
    for (const [rows, d, vocab] of [
      [1, 8, 3],
      [5, 16, 100],
      [40, 12, 1000],
      [1100, 4, 30],
      [300, 3, 5000],
    ] as const) {
      const inputs = [normal(rng, [rows, d]), normal(rng, [vocab, d]), integers(rng, [rows], 0, vocab - 1)];
      const f: Computation = (hidden, head, labels) => headLogProbs(hidden, head, labels);
      const differentiable = rows * vocab > 1e6 ? 1 : 2;
      await compare(backend, 'headLogProbs', inputs, f, differentiable, 5e-5);
      const capped: Computation = (hidden, head, labels) => headLogProbs(hidden, head, labels, 1.5);
      await compare(backend, 'headLogProbs of capped logits', inputs, capped, differentiable, 5e-5);
    }
  });

  test('embedding and dropout', async () => {
    const rng = Rng.of(7, 'embedding');
    for (const [vocab, d, n] of [
      [5, 3, 20],
      [300, 32, 100],
      [2, 65, 1],
    ] as const) {
      const inputs = [normal(rng, [vocab, d]), integers(rng, [n], 0, vocab - 1)];
      await compare(backend, 'embedding', inputs, (w, ids) => embedding(w, ids), 1);
    }
    for (const rate of [0.05, 0.5, 0.999]) {
      const inputs = [normal(rng, [37, 41]), integers(rng, [37], -(2 ** 31), 2 ** 31 - 1)];
      await compare(backend, 'dropout', inputs, (x, names) => dropout(x, rate, 123_456_789, names), 1);
      await compare(backend, 'dropout', inputs, (x, names) => dropout(x, rate, -123_456_789, names), 1);
    }
  });

  test('adamW changes parameters and moments in place as the plain form does', async () => {
    const rng = Rng.of(8, 'adamW');
    // more than go into one kernel of a GPU
    const shapes = [[3, 5], [64], [1], [130, 67], [0], [9, 7], [65]];
    const inputs = shapes.flatMap((shape) => [
      normal(rng, shape),
      normal(rng, shape),
      normal(rng, shape),
      uniform(rng, shape, 0, 1),
    ]);
    const step = (...tensors: tf.Tensor[]): tf.Tensor[] => {
      const variables = tensors.map((tensor, i) => (i % 4 === 1 ? tensor : tf.variable(tensor)));
      const every = (k: number): Any[] => variables.filter((_, i) => i % 4 === k);
      const options = { lr: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
      for (const t of [3, 4]) adamW(every(0), every(1), every(2), every(3), { ...options, step: t });
      const results = variables.map((variable) => variable.clone());
      for (const [i, variable] of variables.entries()) if (i % 4 !== 1) variable.dispose();
      return results;
    };
    const expected = await referenceOf('adamW', inputs, (...tensors) =>
      withPlainKernels(() => step(...tensors)),
    );
    const actual = await runOn(backend, inputs, step);
    for (const [i, reference] of expected.entries()) expectClose(actual[i]!, reference, 1e-5, `adamW #${i}`);
  });

  test('scaleEach and addEach: lists of odd sizes, and tensors that share their numbers', async () => {
    const rng = Rng.of(8, 'lists');
    const shapes = [[3, 5], [64], [], [130, 67], [0], [9, 7], [65]];
    const inputs = [...shapes, ...shapes].map((shape) => normal(rng, shape));
    const actual = await runOn(backend, inputs, (...tensors) => {
      const copies = tensors.map((tensor) => tf.mul(tensor, 1));
      const shared = tf.reshape(copies[1]!, [8, 8]);
      const sums = addEach(copies.slice(0, shapes.length), copies.slice(shapes.length));
      return [...scaleEach(sums, 0.3), shared];
    });
    for (const [i, shape] of shapes.entries()) {
      const [x, y] = [inputs[i]!, inputs[i + shapes.length]!];
      const values = x.values.map((value, k) => 0.3 * Math.fround(value + y.values[k]!));
      expectClose(actual[i]!, { shape, values, dtype: 'float32' }, 1e-6, `list #${i}`);
    }
    expectClose(actual.at(-1)!, { ...inputs[1]!, shape: [8, 8] }, 0, 'what shares its numbers stays');
  });

  test('globalNorm of tensors of several shapes', async () => {
    const rng = Rng.of(9, 'globalNorm');
    const inputs = [[3, 5], [64], [], [130, 67]].map((shape) => normal(rng, shape));
    for (const count of [1, 4]) {
      const some = inputs.slice(0, count);
      const [expected] = await referenceOf('globalNorm', some, (...xs) =>
        withPlainKernels(() => [globalNorm(xs)]),
      );
      const [actual] = await runOn(backend, some, (...xs) => [globalNorm(xs)]);
      expectClose(actual!, expected!, 1e-6, `globalNorm of ${count}`);
    }
  });

  test('kvCacheWrite and cachedAttention: single rows, runs of rows, several slots', async () => {
    const rng = Rng.of(9, 'cache');
    for (const [heads, keyHeads, d, slots, maxLength] of [
      [4, 2, 16, 3, 80],
      [2, 1, 6, 2, 20],
      [3, 3, 64, 1, 200],
      // few queries to wide keys
      [6, 3, 128, 3, 40],
    ] as const) {
      const inputs = [
        normal(rng, [slots, keyHeads, maxLength, d]),
        normal(rng, [slots, keyHeads, maxLength, d]),
      ];
      const plans: [number, number][][] = [
        Array.from({ length: slots }, (_, slot) => [slot, rng.int(0, maxLength - 1)]),
        Array.from({ length: maxLength }, (_, position) => [slots - 1, position]),
        [
          [0, 5],
          [0, 6],
          [0, 7],
          [slots - 1, 9],
          [slots - 1, 10],
          [0, 8],
        ],
        [[0, 0]],
        // single rows of some slots
        Array.from({ length: slots }, (_, i): [number, number] => [slots - 1 - i, 3 + 2 * i]),
        // tokens that a grammar forces: as many for each slot, side by side
        Array.from({ length: slots }, (_, slot) => [0, 1, 2].map((i) => [slot, 3 + slot + i])).flat() as [
          number,
          number,
        ][],
        // the same in another order, with a single row between
        Array.from({ length: slots }, (_, i) => slots - 1 - i).flatMap((slot): [number, number][] =>
          slot === 1
            ? [[slot, 6]]
            : [
                [slot, 4],
                [slot, 5],
              ],
        ),
      ];
      for (const plan of plans) {
        const n = plan.length;
        const slotIds = Int32Array.from(plan, ([slot]) => slot);
        const positions = Int32Array.from(plan, ([, position]) => position);
        const all = [
          ...inputs,
          normal(rng, [n, heads, d]),
          normal(rng, [n, keyHeads, d]),
          normal(rng, [n, keyHeads, d]),
        ];
        const f = (...[keys, values, q, k, v]: Any[]): tf.Tensor[] => {
          const caches = [tf.variable(tf.clone(keys), false), tf.variable(tf.clone(values), false)] as [
            tf.Variable,
            tf.Variable,
          ];
          // a cache of its own, because the write is in place
          for (const cache of caches) cache.assign(tf.add(cache, 0));
          const at = tf.tensor1d(positions, 'int32');
          const slot = tf.tensor1d(slotIds, 'int32');
          kvCacheWrite(caches[0], k, slot, at);
          kvCacheWrite(caches[1], v, slot, at);
          const lengths = tf.add(at, tf.scalar(1, 'int32')) as tf.Tensor1D;
          const [keyCache, valueCache] = caches as unknown as [tf.Tensor4D, tf.Tensor4D];
          const outs = cacheLimits.map((limits) =>
            cachedAttention(q, keyCache, valueCache, slot, lengths, d ** -0.5, limits),
          );
          const results = [...outs, tf.add(caches[0], 0), tf.add(caches[1], 0)];
          tf.dispose(caches);
          return results;
        };
        const expected = await referenceOf(`cache ${plan}`, all, (...tensors) =>
          withPlainKernels(() => f(...tensors)),
        );
        const actual = await runOn(backend, all, f);
        for (const [i, reference] of expected.entries())
          expectClose(actual[i]!, reference, 3e-5, `cache ${plan} #${i}`);
      }
    }
  });

  test('kvCacheCopy: the positions of a range, and no others', async () => {
    const rng = Rng.of(32, 'copies');
    for (const [keyHeads, d, slots, maxLength] of [
      [2, 16, 3, 80],
      [1, 6, 2, 20],
      [3, 64, 4, 33],
    ] as const) {
      const inputs = [normal(rng, [slots, keyHeads, maxLength, d])];
      for (const range of [
        { from: 0, to: slots - 1, start: 0, end: maxLength },
        { from: slots - 1, to: 0, start: 7, end: 19 },
        { from: 0, to: 1, start: 5, end: 6 },
        { from: 1, to: 0, start: 4, end: 4 },
        { from: 1, to: 1, start: 0, end: 9 },
      ]) {
        const f = (given: Any): tf.Tensor[] => {
          // a cache of its own, because the copy is in place
          const cache = tf.variable(tf.add(given, 0), false);
          kvCacheCopy(cache, range);
          const result = tf.add(cache, 0);
          cache.dispose();
          return [result];
        };
        const [expected] = await referenceOf(JSON.stringify(range), inputs, (given) =>
          withPlainKernels(() => f(given)),
        );
        const [actual] = await runOn(backend, inputs, f);
        expectClose(actual!, expected!, 0, `copy ${JSON.stringify(range)}`);
        // and the plain form is what copying by hand gives
        const values = [...inputs[0]!.values];
        for (let head = 0; head < keyHeads; head++) {
          const at = (slot: number) => ((slot * keyHeads + head) * maxLength + range.start) * d;
          const copied = inputs[0]!.values.slice(
            at(range.from),
            at(range.from) + (range.end - range.start) * d,
          );
          values.splice(at(range.to), copied.length, ...copied);
        }
        expectClose(expected!, { ...inputs[0]!, values }, 0, 'by hand');
      }
    }
    const cache = tf.variable(tf.zeros([2, 1, 4, 2]), false);
    expect(() => kvCacheCopy(cache, { from: 0, to: 2, start: 0, end: 3 })).toThrow(RangeError);
    expect(() => kvCacheCopy(cache, { from: 0, to: 1, start: 0, end: 5 })).toThrow('positions 0 to 4');
    cache.dispose();
  });

  test('scores of columns', async () => {
    const rng = Rng.of(31, 'columns');
    for (const [rows, width, count] of [
      [1, 7, 1],
      [5, 300, 12],
      [8, 4000, 3],
    ] as const) {
      const inputs = [normal(rng, [rows, width], 6), integers(rng, [rows, count], 0, width - 1)];
      const [expected] = await referenceOf('columns', inputs, (...[logits, columns]: Any[]) =>
        withPlainKernels(() => scoreColumns(logits, columns)),
      );
      const [actual] = await runOn(backend, inputs, (...[logits, columns]: Any[]) =>
        scoreColumns(logits, columns),
      );
      expectClose(actual!, expected!, 1e-6, `columns of [${rows}, ${width}]`);
    }
  });

  test('a label, slot or index outside of its range is an error', async () => {
    await runOn(backend, [], () => {
      const labels = tf.tensor1d([7], 'int32');
      expect(() => headLogProbs(tf.zeros([1, 2]), tf.zeros([3, 2]), labels)).toThrow('7');
      expect(() => tf.gather(tf.zeros([3, 2]), labels)).toThrow('7');
      return tf.scalar(0);
    });
  });
});
