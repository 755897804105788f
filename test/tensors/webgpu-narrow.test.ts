/** Matrices that the backend `webgpu` keeps in two bytes a number: by the tables of their types, and against `wasm`. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { loadDecoder } from '../../src/models/load.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../src/models/number-formats.js';
import { readSafetensors, writeSafetensors } from '../../src/models/safetensors.js';
import { initBackend } from '../../src/tensors/backend.js';
import { type FloatType, floatTypeOf, toFloatType } from '../../src/tensors/float-type.js';
import * as ops from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import type { WebGpuBackend } from '../../src/tensors/webgpu/backend.js';
import { answerLogProbs, errorOf, fixture, lossAndGradients, packed } from '../parity/fixtures.js';
import { softwareAdapter, webGpuUnderTest } from '../prerequisites/index.js';
import { expectClose, integers, normal, type PlainTensor, runOn } from './helpers.js';

const types = [
  ['float16', toFloat16, fromFloat16],
  ['bfloat16', toBfloat16, fromBfloat16],
] as const;

describe.runIf(webGpuUnderTest().length > 0).each(types)('%s', (type, narrow, widen) => {
  beforeAll(async () => {
    await initBackend('webgpu', { device: softwareAdapter() });
    // products of both factors in float16 have tests of their own
    (tf.backend() as unknown as WebGpuBackend).halfForm = undefined;
  });

  const rounded = (values: ArrayLike<number>): Float32Array => widen(narrow(Float32Array.from(values)));

  async function kept(values: Float32Array): Promise<Float32Array> {
    const x = tf.tensor2d(values, [1, values.length]);
    const y = toFloatType(x, type);
    expect(floatTypeOf(y)).toBe(type);
    const read = await y.data<'float32'>();
    tf.dispose([x, y]);
    return read;
  }

  /** Numbers that differ, also in sign where they are 0; a whole array would be shown for minutes. */
  const differing = (actual: Float32Array, expected: Float32Array): number[] =>
    [...expected.keys()].filter((i) => !Object.is(actual[i], expected[i]));

  it('keeps every number that the type has', async () => {
    const all = widen(Uint16Array.from({ length: 65536 }, (_, bits) => bits));
    const finite = all.filter(Number.isFinite);
    expect(finite.length).toBeGreaterThan(60000);
    expect(differing(await kept(finite), finite).slice(0, 9)).toEqual([]);
    const others = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    expect(await kept(others)).toEqual(others);
  });

  it('rounds to the nearest, ties to even', async () => {
    const rng = Rng.of(31, type);
    const all = widen(Uint16Array.from({ length: 65536 }, (_, bits) => bits)).filter(Number.isFinite);
    const ties = all.subarray(0, 20000).map((value, i) => (value + all[i + 1]!) / 2);
    const drawn = Float32Array.from({ length: 20001 }, () => rng.normal() * 2 ** rng.int(-30, 18));
    for (const values of [ties, drawn]) {
      expect(differing(await kept(values), rounded(values)).slice(0, 9)).toEqual([]);
    }
  });

  it('products, rows, log-probabilities and their gradients are those of float32 on the same numbers', async () => {
    const rng = Rng.of(32, type);
    for (const [n, width, out] of [
      [1, 33, 7],
      [5, 64, 40],
      [70, 31, 33],
      // read four numbers at a time
      [70, 32, 36],
      [600, 5, 513],
    ] as const) {
      const weight = normal(rng, [out, width]);
      weight.values = [...rounded(weight.values)];
      const inputs: PlainTensor[] = [
        normal(rng, [n, width]),
        normal(rng, [out]),
        integers(rng, [n], 0, out - 1),
        weight,
      ];
      const all = (x: tf.Tensor, bias: tf.Tensor, ids: tf.Tensor, w: tf.Tensor): tf.Tensor[] => {
        const matrix = toFloatType(w, tf.getBackend() === 'webgpu' ? type : 'float32') as tf.Tensor2D;
        const labels = ids as tf.Tensor1D;
        const product = (y: tf.Tensor) =>
          ops.frozenLinear(y as tf.Tensor2D, matrix, bias as tf.Tensor1D) as tf.Tensor;
        const scored = (y: tf.Tensor) => ops.headLogProbs(y as tf.Tensor2D, matrix, labels) as tf.Tensor;
        return [
          product(x),
          scored(x),
          ops.embedding(matrix, labels),
          tf.grad((y) => tf.sum(tf.square(product(y))) as tf.Tensor)(x),
          tf.grad((y) => tf.sum(scored(y)) as tf.Tensor)(x),
          // kernels that know nothing of it: tfjs's own, ours, and products with it on the left
          tf.exp(matrix),
          tf.transpose(matrix),
          tf.slice(matrix, [0, 1], [out, width - 1]),
          tf.matMul(matrix, x, false, true),
        ];
      };
      const expected = await runOn('wasm', inputs, all as never);
      const actual = await runOn('webgpu', inputs, all as never);
      for (const [i, reference] of expected.entries()) {
        expectClose(actual[i]!, reference, 3e-5, `#${i} of [${n}, ${width}] and [${out}, ${width}]`);
      }
    }
  });

  it('takes half the memory, and a copy in float32 that an operation needs goes with it', async () => {
    await initBackend('webgpu');
    const taken = () => (tf.memory() as unknown as { numBytesInGPU: number }).numBytesInGPU;
    const before = taken();
    const matrix = tf.tidy(() => toFloatType(tf.ones([512, 512]), type));
    expect(taken() - before).toBe(2 * 512 * 512);
    const sum = tf.tidy(() => tf.sum(tf.exp(matrix)));
    sum.dispose();
    expect(taken() - before).toBe(2 * 512 * 512);
    matrix.dispose();
    expect(taken()).toBe(before);
  });

  it('a merged adapter stays in the type of the base', async () => {
    await initBackend('webgpu');
    const logitsOf = async (merge: boolean) => {
      const options = { adapterPath: fixture('qwen2', 'lora'), floatType: type, merge };
      const decoder = await loadDecoder(fixture('qwen2'), options);
      for (const { name, weight } of decoder.projections()) expect(weight.floatType, name).toBe(type);
      const logits = tf.tidy(() => decoder.logits(decoder.forward(packed)));
      const values = await logits.data<'float32'>();
      logits.dispose();
      decoder.dispose();
      return values;
    };
    const [beside, merged] = [await logitsOf(false), await logitsOf(true)];
    const error = await errorOf(tf.tensor1d(merged), beside);
    expect(error).toBeLessThan(type === 'float16' ? 2e-3 : 2e-2);
    expect(error).toBeGreaterThan(0);
  });

  it.each([
    ['qwen2', 'lora'],
    ['phi3', 'dora'],
  ])(
    'a model (%s, %s) has the log-probabilities and gradients of one whose files have these numbers',
    async (family, kind) => {
      const folder = mkdtempSync(join(tmpdir(), 'arclab-rounded-'));
      try {
        copyFileSync(fixture(family, 'config.json'), join(folder, 'config.json'));
        const tensors = readSafetensors(fixture(family, 'model.safetensors'));
        const asKept = [...tensors].map(([name, tensor]) => {
          const values = tensor.shape.length === 2 ? rounded(tensor.values) : tensor.values;
          return [name, { ...tensor, values }] as [string, typeof tensor];
        });
        writeSafetensors(join(folder, 'model.safetensors'), asKept);
        const results = async (backend: string, path: string, floatType: FloatType) => {
          await initBackend(backend);
          const decoder = await loadDecoder(path, {
            adapterPath: fixture(family, kind),
            trainable: 'adapter',
            floatType,
          });
          const { bytes } = decoder;
          const hidden = decoder.forward(packed);
          const logits = decoder.logits(hidden);
          const logProbs = answerLogProbs(decoder);
          const { loss, gradients } = await lossAndGradients(decoder);
          const read = new Map<string, Float32Array>();
          for (const [name, x] of [['logits', logits], ['logProbs', logProbs], ...gradients] as const) {
            read.set(name, (await x.data()) as Float32Array);
          }
          tf.dispose([hidden, logits, logProbs, ...gradients.values()]);
          decoder.dispose();
          return { loss, read, bytes };
        };
        const expected = await results('wasm', folder, 'float32');
        const actual = await results('webgpu', fixture(family), type);
        expect(Math.abs(actual.loss - expected.loss)).toBeLessThan(1e-5);
        for (const [name, values] of expected.read) {
          const read = tf.tensor1d(actual.read.get(name)!);
          const least = name.includes('lora') ? 1e-4 : 0;
          expect(await errorOf(read, values, least), name).toBeLessThan(1e-4);
          read.dispose();
        }
        expect(actual.bytes / expected.bytes).toBeLessThan(0.65);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
