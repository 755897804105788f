/** Every backend gives what tfjs's plain `cpu` backend gives, values and gradients, for random shapes. */
import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import * as tf from '../../src/tensors/tf.js';
import { backendsUnderTest, openBackends } from '../prerequisites/index.js';
import { expectClose, integers, normal, type PlainTensor, referenceOf, runOn, uniform } from './helpers.js';

const backends = openBackends(backendsUnderTest({ awaited: true }));

type Computation = (...tensors: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

/** Compares one computation, and its gradient when asked, against the plain backend. */
async function compare(
  backend: string,
  what: string,
  inputs: PlainTensor[],
  f: Computation,
  { relative = 1e-5, gradient = false }: { relative?: number; gradient?: boolean } = {},
): Promise<void> {
  const withGradient: Computation = (...tensors) => {
    const results = f(...tensors);
    const list = Array.isArray(results) ? results : [results];
    if (!gradient) return list;
    const total = (...xs: tf.Tensor[]): tf.Scalar => {
      const out = f(...xs);
      // a weighted sum, so that every element has a gradient of its own
      const weighted = (t: tf.Tensor): tf.Tensor =>
        tf.sum(
          tf.mul(
            t,
            tf.tensor(
              Float32Array.from({ length: t.size }, (_, i) => Math.cos(i)),
              t.shape,
            ),
          ),
        );
      return tf.addN((Array.isArray(out) ? out : [out]).map(weighted)) as tf.Scalar;
    };
    return [...list, ...tf.grads(total)(tensors)];
  };
  const expected = await referenceOf(what, inputs, withGradient);
  const actual = await runOn(backend, inputs, withGradient);
  expect(actual.length).toBe(expected.length);
  for (const [i, reference] of expected.entries()) {
    expectClose(
      actual[i] as PlainTensor,
      reference,
      relative,
      `${what} [${inputs.map((x) => x.shape.join('×'))}] #${i}`,
    );
  }
}

/** Two shapes that broadcast to one. */
function broadcastable(rng: Rng): [number[], number[]] {
  const full = Array.from({ length: rng.int(1, 4) }, () => rng.int(1, 9));
  const thin = (shape: number[]): number[] =>
    shape
      .map((dimension) => (rng.chance(0.3) ? 1 : dimension))
      .slice(rng.chance(0.3) ? rng.int(0, shape.length) : 0);
  return rng.chance(0.5) ? [full, thin(full)] : [thin(full), full];
}

describe.each(backends)('%s', (backend) => {
  test('matMul: all transpositions, batches and broadcast batches', async () => {
    const rng = Rng.of(1, 'matmul');
    for (let i = 0; i < 40; i++) {
      const [m, n, k] = [rng.int(1, 70), rng.int(1, 70), rng.int(1, 40)];
      const [transposeA, transposeB] = [rng.chance(0.5), rng.chance(0.5)];
      const [batchA, batchB] = rng.pick([
        [[], []],
        [[3], [3]],
        [[1], [4]],
        [[2], [1]],
        [
          [2, 1],
          [1, 3],
        ],
        [
          [2, 3],
          [2, 3],
        ],
      ] as const);
      const a = normal(rng, [...batchA, ...(transposeA ? [k, m] : [m, k])]);
      const b = normal(rng, [...batchB, ...(transposeB ? [n, k] : [k, n])]);
      // the plain backend repeats batches by position, so it is given the broadcast already done
      const outBatch = tf.broadcast_util.assertAndGetBroadcastShape([...batchA], [...batchB]);
      const f: Computation = (x, y) => tf.matMul(x as tf.Tensor, y as tf.Tensor, transposeA, transposeB);
      const broadcast: Computation = (x, y) =>
        f(
          tf.broadcastTo(x as tf.Tensor, [...outBatch, ...a.shape.slice(-2)]),
          tf.broadcastTo(y as tf.Tensor, [...outBatch, ...b.shape.slice(-2)]),
        );
      const [expected] = await referenceOf('matMul', [a, b], broadcast);
      const [actual] = await runOn(backend, [a, b], f);
      expectClose(actual!, expected!, 1e-5, `matMul ${transposeA} ${transposeB} [${a.shape}] [${b.shape}]`);
    }
  });

  test('matMul: sizes beyond one block, and gradients', async () => {
    const rng = Rng.of(2, 'matmul');
    for (const [m, n, k] of [
      [130, 71, 900],
      [1, 300, 1000],
      [5, 33, 401],
      [129, 8, 385],
      [3, 1, 0],
      [2, 500, 5],
    ] as const) {
      for (const transposeB of [false, true]) {
        const inputs = [normal(rng, [m, k]), normal(rng, transposeB ? [n, k] : [k, n])];
        await compare(backend, 'matMul', inputs, (a, b) => tf.matMul(a!, b!, false, transposeB));
      }
    }
    await compare(
      backend,
      'matMul',
      [normal(rng, [2, 17, 9]), normal(rng, [2, 9, 21])],
      (a, b) => tf.matMul(a!, b!),
      {
        gradient: true,
      },
    );
    for (const activation of ['linear', 'relu', 'sigmoid', 'elu'] as const) {
      for (const biasShape of [[11], [7, 11]]) {
        const inputs = [normal(rng, [7, 9]), normal(rng, [9, 11]), normal(rng, biasShape)];
        await compare(backend, `fused ${activation}`, inputs, (a, b, bias) =>
          tf.fused.matMul({ a: a as tf.Tensor2D, b: b as tf.Tensor2D, bias: bias!, activation }),
        );
      }
    }
  });

  const unary: [string, (x: tf.Tensor) => tf.Tensor, number, number][] = [
    ['neg', tf.neg, -3, 3],
    ['abs', tf.abs, -3, 3],
    ['exp', tf.exp, -20, 20],
    ['log', tf.log, 1e-6, 50],
    ['sqrt', tf.sqrt, 0, 9],
    ['rsqrt', tf.rsqrt, 1e-3, 9],
    ['square', tf.square, -4, 4],
    ['reciprocal', tf.reciprocal, 0.1, 4],
    ['sigmoid', tf.sigmoid, -30, 30],
    ['tanh', tf.tanh, -12, 12],
    ['relu', tf.relu, -2, 2],
    ['floor', tf.floor, -9, 9],
    ['ceil', tf.ceil, -9, 9],
    ['round', tf.round, -9, 9],
    ['sin', tf.sin, -9, 9],
    ['cos', tf.cos, -9, 9],
    ['log1p', tf.log1p, 0, 3],
    ['erf', tf.erf, -3, 3],
    ['elu', tf.elu, -3, 3],
    ['softplus', tf.softplus, -9, 9],
    ['step', (x) => tf.step(x), -2, 2],
    ['clip', (x) => tf.clipByValue(x, -1, 1.5), -3, 3],
    ['isNaN', tf.isNaN, -1, 1],
    ['leakyRelu', (x) => tf.leakyRelu(x, 0.1), -3, 3],
    ['cast', (x) => tf.cast(x, 'int32'), -9, 9],
    ['toBool', (x) => tf.cast(x, 'bool'), -9, 9],
    ['roundTrip', (x) => tf.cast(tf.cast(x, 'bool'), 'float32'), -1, 1],
    ['intToFloat', (x) => tf.cast(tf.cast(x, 'int32'), 'float32'), -99, 99],
  ];
  test.each(unary)('unary %s', async (name, f, low, high) => {
    const rng = Rng.of(3, name);
    for (const shape of [[], [1], [5], [64], [3, 7], [2, 3, 4, 5], [20_000]]) {
      const differentiable = !['isNaN', 'cast', 'toBool', 'roundTrip', 'intToFloat'].includes(name);
      const gradient = differentiable && shape.length > 0 && shape[0] !== 20_000;
      await compare(backend, name, [uniform(rng, shape, low, high)], (x) => f(x!), { gradient });
    }
  });

  test('special values: infinities, NaN, denormals', async () => {
    // TensorFlow takes denormals for zeros, in all that it computes
    const denormal = backend === 'tensorflow' ? 0 : 1e-40;
    const x: PlainTensor = {
      shape: [14],
      dtype: 'float32',
      values: [0, -0, 1, -1, Infinity, -Infinity, Number.NaN, denormal, 88.8, -87.5, -103, 200, -200, 3e38],
    };
    // WGSL lets a driver assume that there are no such numbers
    if (backend === 'webgpu') x.values = x.values.filter((value) => !Number.isNaN(value));
    x.shape = [x.values.length];
    for (const f of [tf.exp, tf.log, tf.sqrt, tf.sigmoid, tf.tanh, tf.isNaN, tf.relu, tf.floor]) {
      await compare(backend, f.name, [x], (t) => f(t!) as tf.Tensor);
    }
    await compare(backend, 'maximum', [x, { ...x, values: x.values.toReversed() }], (a, b) =>
      tf.maximum(a!, b!),
    );
  });

  const binary: [
    string,
    (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
    ('float32' | 'int32' | 'bool')[],
    boolean,
  ][] = [
    ['add', tf.add, ['float32', 'int32'], true],
    ['sub', tf.sub, ['float32', 'int32'], true],
    ['mul', tf.mul, ['float32', 'int32'], true],
    ['div', tf.div, ['float32'], true],
    ['maximum', tf.maximum, ['float32', 'int32'], false],
    ['minimum', tf.minimum, ['float32', 'int32'], false],
    ['squaredDifference', tf.squaredDifference, ['float32'], false],
    ['pow', tf.pow, ['float32'], false],
    ['equal', tf.equal, ['float32', 'int32', 'bool'], false],
    ['notEqual', tf.notEqual, ['float32', 'int32'], false],
    ['less', tf.less, ['float32', 'int32'], false],
    ['lessEqual', tf.lessEqual, ['float32', 'int32'], false],
    ['greater', tf.greater, ['float32', 'int32'], false],
    ['greaterEqual', tf.greaterEqual, ['float32', 'int32'], false],
    ['logicalAnd', tf.logicalAnd, ['bool'], false],
    ['logicalOr', tf.logicalOr, ['bool'], false],
    ['floorDiv', tf.floorDiv, ['int32'], false],
    ['mod', tf.mod, ['float32', 'int32'], false],
  ];
  test.each(binary)('binary %s with broadcasting', async (name, f, dtypes, gradient) => {
    const rng = Rng.of(4, name);
    for (const dtype of dtypes) {
      for (let i = 0; i < 10; i++) {
        const [a, b] = broadcastable(rng);
        const make = (shape: number[]): PlainTensor =>
          dtype === 'float32'
            ? name === 'equal' || name === 'notEqual'
              ? { ...integers(rng, shape, 0, 2), dtype }
              : uniform(rng, shape, 0.3, 3)
            : integers(rng, shape, dtype === 'bool' ? 0 : 1, dtype === 'bool' ? 1 : 5, dtype);
        await compare(backend, `${name} ${dtype}`, [make(a), make(b)], (x, y) => f(x!, y!), {
          gradient: gradient && dtype === 'float32',
        });
      }
    }
  });

  test('binary over large tensors, where threads share the work', async () => {
    const rng = Rng.of(5, 'large');
    for (const [a, b] of [
      [
        [300, 257],
        [300, 257],
      ],
      [[300, 257], [257]],
      [
        [300, 257],
        [300, 1],
      ],
      [[1], [300, 257]],
      [
        [40, 1, 257],
        [1, 30, 257],
      ],
    ] as const) {
      await compare(backend, 'add', [normal(rng, [...a]), normal(rng, [...b])], (x, y) => tf.add(x!, y!));
      await compare(backend, 'less', [normal(rng, [...a]), normal(rng, [...b])], (x, y) => tf.less(x!, y!));
    }
  });

  const reductions: [string, (x: tf.Tensor, axis: number[], keep: boolean) => tf.Tensor, boolean][] = [
    ['sum', tf.sum, true],
    ['mean', tf.mean, true],
    ['max', tf.max, true],
    ['min', tf.min, true],
    ['prod', tf.prod, false],
    ['logSumExp', tf.logSumExp, true],
    ['all', (x, axis, keep) => tf.all(tf.greater(x, -1), axis, keep), false],
    ['any', (x, axis, keep) => tf.any(tf.greater(x, 1), axis, keep), false],
  ];
  test.each(reductions)('reduction %s over any axes', async (name, f, gradient) => {
    const rng = Rng.of(6, name);
    for (let i = 0; i < 12; i++) {
      const shape = Array.from({ length: rng.int(1, 4) }, () => rng.int(1, 11));
      const axes = rng
        .sample(
          shape.map((_, axis) => axis),
          rng.int(1, shape.length),
        )
        .sort((a, b) => a - b);
      const keep = rng.chance(0.5);
      await compare(backend, `${name} over ${axes}`, [normal(rng, shape)], (x) => f(x!, axes, keep), {
        gradient,
      });
    }
    if (name === 'prod') return;
    // a driver in software takes seconds for the large ones
    const large = backend === 'webgpu' ? [] : [[3, 70_000], [131_072]];
    for (const shape of [...large, [900, 40], [2, 500, 33]]) {
      await compare(backend, name, [normal(rng, shape)], (x) => f(x!, [shape.length === 3 ? 1 : 0], false));
      await compare(
        backend,
        name,
        [normal(rng, shape)],
        (x) =>
          f(
            x!,
            shape.map((_, axis) => axis),
            false,
          ),
        { relative: 1e-4 },
      );
    }
  });

  test('softmax, logSoftmax, argMax, topk, oneHot', async () => {
    const rng = Rng.of(7, 'softmax');
    for (const shape of [[5], [3, 17], [2, 3, 64], [100, 1]]) {
      const x = normal(rng, shape, 4);
      await compare(backend, 'softmax', [x], (t) => tf.softmax(t!), { gradient: true });
      await compare(backend, 'logSoftmax', [x], (t) => tf.logSoftmax(t!), { gradient: true });
      await compare(backend, 'argMax', [x], (t) => tf.argMax(t!, -1));
      await compare(backend, 'argMin', [x], (t) => tf.argMin(t!, 0));
      await compare(backend, 'topk', [x], (t) => Object.values(tf.topk(t!, 1)) as tf.Tensor[]);
    }
    await compare(backend, 'oneHot', [integers(rng, [3, 4], 0, 6)], (t) => tf.oneHot(t!, 7));
  });

  test('movement: transpose, slice, concat, stack, split, pad, tile, reverse, gather', async () => {
    const rng = Rng.of(8, 'movement');
    for (let i = 0; i < 12; i++) {
      const shape = Array.from({ length: rng.int(1, 4) }, () => rng.int(1, 9));
      const dtype = rng.pick(['float32', 'int32', 'bool'] as const);
      const gradient = dtype === 'float32';
      const x: PlainTensor = gradient ? normal(rng, shape) : integers(rng, shape, 0, 1, dtype);
      const axis = rng.int(0, shape.length - 1);
      const perm = rng.shuffle(shape.map((_, a) => a));
      await compare(backend, `transpose ${perm}`, [x], (t) => tf.transpose(t!, perm), { gradient });
      const begin = shape.map((dimension) => rng.int(0, dimension - 1));
      const size = shape.map((dimension, a) => rng.int(1, dimension - begin[a]!));
      await compare(backend, 'slice', [x], (t) => tf.slice(t!, begin, size), { gradient });
      await compare(backend, 'strided', [x], (t) =>
        tf.stridedSlice(
          t!,
          begin,
          shape,
          shape.map(() => 2),
        ),
      );
      const other = gradient ? normal(rng, shape) : integers(rng, shape, 0, 1, dtype);
      await compare(backend, 'concat', [x, other], (a, b) => tf.concat([a!, b!, a!], axis), { gradient });
      await compare(backend, 'stack', [x, other], (a, b) => tf.stack([a!, b!], axis), { gradient });
      await compare(backend, 'unstack', [x], (t) => tf.unstack(t!, axis));
      const first = rng.int(0, shape[axis]!);
      await compare(backend, 'split', [x], (t) => tf.split(t!, [first, shape[axis]! - first], axis), {
        gradient,
      });
      const pads = shape.map(() => [rng.int(0, 3), rng.int(0, 3)] as [number, number]);
      await compare(backend, 'pad', [x], (t) => tf.pad(t!, pads, dtype === 'bool' ? 1 : 3), { gradient });
      await compare(
        backend,
        'tile',
        [x],
        (t) =>
          tf.tile(
            t!,
            shape.map(() => 1 + (axis % 2)),
          ),
        { gradient },
      );
      await compare(backend, 'reverse', [x], (t) => tf.reverse(t!, axis), { gradient });
      const indices = integers(rng, rng.pick([[4], [2, 3], [1]]), 0, shape[axis]! - 1);
      await compare(backend, 'gather', [x, indices], (t, at) => tf.gather(t!, at as tf.Tensor1D, axis));
      await compare(backend, 'where', [integers(rng, shape, 0, 1, 'bool'), x, other], (c, a, b) =>
        tf.where(c!, a!, b!),
      );
    }
    await compare(backend, 'transpose', [normal(rng, [3, 130, 67])], (t) => tf.transpose(t!, [0, 2, 1]));
    await compare(backend, 'transpose', [normal(rng, [40, 30, 5, 16])], (t) =>
      tf.transpose(t!, [2, 0, 1, 3]),
    );
    await compare(backend, 'copy', [normal(rng, [65_536 * 2])], (t) => tf.concat([t!, t!], 0));
  });

  test('gather and its gradient, segment sums, scatter', async () => {
    const rng = Rng.of(9, 'gather');
    for (const [rows, columns, count] of [
      [7, 5, 20],
      [50, 33, 300],
      [3, 64, 1],
      [10, 1, 40],
    ] as const) {
      const x = normal(rng, [rows, columns]);
      const indices = integers(rng, [count], 0, rows - 1);
      await compare(backend, 'unsortedSegmentSum', [normal(rng, [count, columns]), indices], (t, at) =>
        tf.unsortedSegmentSum(t!, at as tf.Tensor1D, rows),
      );
      const gradient: Computation = (t, at) =>
        tf.grad((w) => tf.sum(tf.square(tf.gather(w, at as tf.Tensor1D))))(t!);
      await compare(backend, 'gather gradient', [x, indices], gradient);
      const updates = normal(rng, [rows, columns]);
      const unique: PlainTensor = {
        shape: [rows, 1],
        dtype: 'int32',
        values: rng.shuffle(x.values.slice(0, rows).map((_, i) => i)),
      };
      await compare(backend, 'scatterND', [unique, updates], (at, u) =>
        tf.scatterND(at!, u!, [rows + 2, columns]),
      );
      await compare(backend, 'tensorScatterUpdate', [x, unique, updates], (t, at, u) =>
        tf.tensorScatterUpdate(t!, at!, u!),
      );
    }
  });

  test('what only the plain backend has: cumsum, complex numbers, strings, einsum', async () => {
    const rng = Rng.of(10, 'fallback');
    await compare(backend, 'cumsum', [normal(rng, [4, 5])], (x) => tf.cumsum(x!, 1), { gradient: true });
    const spectra: Computation = (re, im) => {
      const spectrum = tf.fft(tf.complex(re!, im!));
      return [tf.real(spectrum), tf.imag(spectrum), tf.real(tf.ifft(spectrum))];
    };
    // its angles have the accuracy that WGSL promises
    const relative = backend === 'webgpu' ? 1e-3 : 1e-5;
    await compare(backend, 'fft', [normal(rng, [2, 8]), normal(rng, [2, 8])], spectra, { relative });
    await compare(backend, 'einsum', [normal(rng, [3, 4]), normal(rng, [4, 5])], (a, b) =>
      tf.einsum('ij,jk->ki', a!, b!),
    );
    await runOn(backend, [], () => {
      const words = tf.stack([tf.scalar('a'), tf.scalar('bc')]);
      expect(words.dataSync()).toEqual(['a', 'bc'] as unknown as Float32Array);
      return tf.scalar(0);
    });
    await compare(backend, 'conv2d', [normal(rng, [1, 6, 6, 2]), normal(rng, [3, 3, 2, 4])], (x, w) =>
      tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'),
    );
  });
});
