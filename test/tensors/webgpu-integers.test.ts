/** The backend `webgpu` keeps all 32 bits of integers: tfjs's own kernels compute them as floating-point numbers. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import type { WebGpuBackend } from '../../src/tensors/webgpu/backend.js';
import { collapse } from '../../src/tensors/webgpu/kernels/move.js';
import { webGpuUnderTest } from '../prerequisites/index.js';
import { integers, type PlainTensor, runOn } from './helpers.js';

// the shapes are in the tests' own words
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;
type Computation = (...tensors: Any[]) => tf.Tensor | tf.Tensor[];

it('walks over as few dimensions as there can be', () => {
  expect(collapse({ shape: [2, 3, 4], reads: [12, 4, 1], writes: [12, 4, 1] })).toEqual({
    shape: [24],
    reads: [1],
    writes: [1],
  });
  expect(
    collapse({ shape: [2, 1, 3, 4], reads: [12, 9, 1, 3], writes: [12, 12, 4, 1], firstRead: 5 }),
  ).toEqual({
    shape: [2, 3, 4],
    reads: [12, 1, 3],
    writes: [12, 4, 1],
    firstRead: 5,
  });
  expect(collapse({ shape: [1, 1], reads: [7, 1], writes: [1, 1] }).shape).toEqual([1]);
  expect(collapse({ shape: [3, 0], reads: [1, 1], writes: [0, 1] }).shape).toContain(0);
});

describe.runIf(webGpuUnderTest().length > 0)('on an adapter', () => {
  beforeAll(async () => {
    await initBackend('webgpu', { device: 'swiftshader' });
  });

  /** Fails unless a computation gives the same integers as on tfjs's backend `cpu`, element by element. */
  async function same(what: string, inputs: PlainTensor[], f: Computation, reference = f): Promise<void> {
    const expected = await runOn('cpu', inputs, reference);
    const actual = await runOn('webgpu', inputs, (...tensors) => {
      const backend = tf.backend() as unknown as WebGpuBackend;
      // otherwise tfjs computes few numbers on the host
      for (const { dataId } of tensors) backend.uploadToGPU(dataId);
      return f(...tensors);
    });
    expect(actual, `${what} of ${inputs.map(({ shape }) => `[${shape}]`)}`).toEqual(expected);
  }

  /** Integers of all sizes and both signs. */
  const wide = (rng: Rng, shape: number[]): PlainTensor => integers(rng, shape, -(2 ** 31), 2 ** 31 - 1);
  /** Neighbours that a floating-point number of 24 bits takes for one. */
  const close = (rng: Rng, shape: number[]): PlainTensor =>
    integers(rng, shape, rng.chance(0.5) ? 2 ** 30 : -(2 ** 30), (rng.chance(0.5) ? 2 ** 30 : 0) + 3);
  const near = (rng: Rng, shape: number[]): PlainTensor => integers(rng, shape, 2 ** 30, 2 ** 30 + 3);

  const shapeOf = (rng: Rng, least = 1): number[] =>
    Array.from({ length: rng.int(1, 4) }, () => (rng.chance(0.05) ? 0 : rng.int(least, 7)));

  it('when they are moved', async () => {
    const rng = Rng.of(1, 'moved');
    for (let i = 0; i < 8; i++) {
      const shape = shapeOf(rng);
      const [x, y] = [wide(rng, shape), wide(rng, shape)];
      const axis = rng.int(0, shape.length - 1);
      const begin = shape.map((length) => rng.int(0, Math.max(0, length - 1)));
      const size = shape.map((length, a) => rng.int(0, length - begin[a]!));
      const pads = shape.map(() => [rng.int(0, 2), rng.int(0, 3)] as [number, number]);
      const reps = shape.map(() => rng.int(1, 3));
      const first = rng.int(0, shape[axis]!);
      const perm = rng.shuffle(shape.map((_, a) => a));
      const all = (a: Any, b: Any): tf.Tensor[] => [
        tf.transpose(a, perm),
        tf.slice(a, begin, size),
        tf.concat([a, b, a], axis),
        tf.stack([b, a], axis),
        ...tf.unstack(a, axis),
        ...tf.split(a, [first, shape[axis]! - first], axis),
        tf.pad(a, pads, 2 ** 31 - 1),
        tf.pad(a, pads, -(2 ** 24) - 1),
        tf.tile(a, reps),
        tf.reverse(a, axis),
        tf.where(tf.less(a, b), a, b),
      ];
      await same('movement', [x, y], all);
      if (shape.includes(0)) continue;
      const strides = shape.map(() => rng.int(1, 3));
      await same('stridedSlice', [x], (a) => tf.stridedSlice(a, begin, shape, strides));
      const back = shape.map(() => -1);
      const from = shape.map((length) => length - 1);
      await same('stridedSlice back', [x], (a) => tf.stridedSlice(a, from, begin, back, 0, 0, 0, 0, 0));
      const indices = integers(rng, rng.pick([[4], [2, 3], [1], [0]]), 0, shape[axis]! - 1);
      await same('gather', [x, indices], (a, at) => tf.gather(a, at, axis));
      const depth = rng.int(1, shape.length);
      const places: PlainTensor = { shape: [5, depth], dtype: 'int32', values: [] };
      for (let n = 0; n < 5; n++)
        places.values.push(...shape.slice(0, depth).map((length) => rng.int(0, length - 1)));
      const updates = wide(rng, [5, ...shape.slice(depth)]);
      await same('gatherND', [x, places], (a, at) => tf.gatherND(a, at));
      await same('scatterND', [places, updates], (at, u) => tf.scatterND(at, u, shape));
    }
    // as many dimensions as there can be, and more than a workgroup has lanes
    await same('transpose', [wide(rng, [2, 3, 1, 2, 3, 5])], (a) => tf.transpose(a, [5, 0, 4, 1, 2, 3]));
    await same('tile', [wide(rng, [2, 3, 2, 5])], (a) => tf.tile(a, [2, 1, 3, 2]));
    await same('fill', [], () => [
      tf.fill([3, 5], 2 ** 31 - 1, 'int32'),
      tf.fill([1001], -(2 ** 24) - 1, 'int32'),
    ]);
    // tfjs's backend `cpu` forgets the rows that are not updated
    const [x, updates] = [wide(rng, [9, 4]), wide(rng, [3, 4])];
    const rows: PlainTensor = { shape: [3, 1], dtype: 'int32', values: [7, 0, 3] };
    const [updated] = await runOn('webgpu', [x, rows, updates], (...t: Any[]) =>
      tf.tensorScatterUpdate(t[0], t[1], t[2]),
    );
    const byHand = [...x.values];
    for (const [i, row] of rows.values.entries())
      byHand.splice(4 * row, 4, ...updates.values.slice(4 * i, 4 * i + 4));
    expect(updated).toEqual({ ...x, values: byHand });
    const ids = integers(rng, [70], 0, 6);
    const summands = near(rng, [70, 3]);
    const [sums] = await runOn('webgpu', [summands, ids], (a: Any, at: Any) =>
      tf.unsortedSegmentSum(a, at, 7),
    );
    const totals = new Int32Array(21);
    for (const [i, value] of summands.values.entries())
      totals[3 * ids.values[Math.floor(i / 3)]! + (i % 3)]! += value;
    expect(sums).toEqual({ shape: [7, 3], dtype: 'int32', values: [...totals] });
  });

  it('when they are computed with', async () => {
    const rng = Rng.of(2, 'computed');
    for (let i = 0; i < 6; i++) {
      const shape = shapeOf(rng);
      const thin = shape.map((length) => (rng.chance(0.4) ? 1 : length)).slice(rng.int(0, 1));
      const [x, y] = rng.chance(0.5) ? [shape, thin] : [thin, shape];
      for (const make of [wide, near, close]) {
        const inputs = [make(rng, x), make(rng, y)];
        await same('arithmetic', inputs, (a, b) => [
          tf.add(a, b),
          tf.sub(a, b),
          tf.maximum(a, b),
          tf.minimum(a, b),
        ]);
        await same('comparison', inputs, (a, b) => [
          tf.equal(a, b),
          tf.notEqual(a, b),
          tf.less(a, b),
          tf.lessEqual(a, b),
          tf.greater(a, b),
          tf.greaterEqual(a, b),
        ]);
        await same('division', inputs, (a, b) => [tf.floorDiv(a, b), tf.mod(a, b)]);
        // tfjs's backend `cpu` has absolute values as floating-point numbers
        await same('abs', [make(rng, x)], tf.abs as Computation, (a) => tf.maximum(a, tf.neg(a)));
        await same('unary', [make(rng, x)], (a) => [
          tf.neg(a),
          tf.sign(a),
          tf.relu(a),
          tf.clipByValue(a, -(2 ** 30) - 1, 2 ** 30 + 1),
        ]);
      }
      // products of which the reference's floating-point numbers of 53 bits hold all
      const factors = [integers(rng, x, -(2 ** 20), 2 ** 20), integers(rng, y, -(2 ** 20), 2 ** 20)];
      await same('products', factors, (a, b) => [tf.mul(a, b), tf.squaredDifference(a, b)]);
      await same('square', [factors[0]!], tf.square as Computation, (a) => tf.mul(a, a));
      const small = integers(rng, y, -7, 7);
      await same('division by small ones and by none', [wide(rng, x), small], (a, b) => [
        tf.floorDiv(a, b),
        tf.mod(a, b),
      ]);
    }
    const many = Array.from({ length: 20 }, () => near(rng, [11, 13]));
    await same('addN', many, (...tensors) => tf.addN(tensors));
  });

  it('when they are reduced', async () => {
    const rng = Rng.of(3, 'reduced');
    for (let i = 0; i < 8; i++) {
      const shape = Array.from({ length: rng.int(1, 4) }, () => rng.int(1, 9));
      if (i === 0) shape.splice(0, 4, 3, 300);
      const axis = rng.int(0, shape.length - 1);
      const axes = [axis, ...shape.keys()]
        .slice(0, rng.int(1, 2))
        .filter((a, at, all) => all.indexOf(a) === at)
        .sort((a, b) => a - b);
      const keep = rng.chance(0.5);
      await same(`reduction over ${axes}, ${axis}`, [near(rng, shape)], (x) => [
        tf.max(x, axes, keep),
        tf.min(x, axes, keep),
        tf.argMax(x, axis),
        tf.argMin(x, axis),
        tf.cumsum(x, axis, false, keep),
        tf.cumsum(x, axis, true, !keep),
      ]);
      await same('sum', [integers(rng, shape, 2 ** 25, 2 ** 25 + 9)], (x) => tf.sum(x, axes, keep));
      await same('prod', [integers(rng, shape, -2, 2)], (x) => tf.prod(x, axes, keep));
    }
    await same('sum of none', [wide(rng, [3, 0])], (x) => [tf.sum(x, 1), tf.sum(x, 0)]);
  });
});
