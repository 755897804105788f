/**
 * Products of the backend `webgpu` whose factors are both in float16, as on adapters with `shader-f16`: here on an
 * adapter without it by the form that reads the same numbers as words, and the shaders of the feature itself by Dawn's
 * compiler. On an adapter with the feature (ARCLAB_ADAPTER) both are run.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { loadDecoder } from '../../src/models/load.js';
import { fromFloat16, toFloat16 } from '../../src/models/number-formats.js';
import { initBackend } from '../../src/tensors/backend.js';
import { toFloatType } from '../../src/tensors/float-type.js';
import * as ops from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import type { HalfForm, WebGpuBackend } from '../../src/tensors/webgpu/backend.js';
import { loadDawn } from '../../src/tensors/webgpu/dawn.js';
import { multiplyInto } from '../../src/tensors/webgpu/kernels/matmul.js';
import { registerOnAdapter } from '../../src/tensors/webgpu/register.js';
import { errorOf, expectedOf, fixture, lossAndGradients, packed } from '../parity/fixtures.js';
import { softwareAdapter, webGpuUnderTest } from '../prerequisites/index.js';
import { expectClose, normal, type PlainTensor, runOn } from './helpers.js';

const isPresent = webGpuUnderTest().length > 0;
const backend = () => tf.backend() as unknown as WebGpuBackend;
const rounded = (values: ArrayLike<number>): number[] => [
  ...fromFloat16(toFloat16(Float32Array.from(values))),
];

/** Rows as a product has them: in float16, with a power of two for each row. */
function roundedRows({ shape, values, dtype }: PlainTensor): PlainTensor {
  const width = shape[1]!;
  const rows = Array.from({ length: shape[0]! }, (_, row) => {
    const own = values.slice(row * width, (row + 1) * width);
    const largest = Math.max(...own.map(Math.abs));
    const scale = largest === 0 ? 1 : 2 ** (13 - Math.floor(Math.log2(largest)));
    return rounded(own.map((value) => Math.fround(value) * scale)).map((value) => value / scale);
  });
  return { shape, dtype, values: rows.flat() };
}

describe.runIf(isPresent)('products of two factors in float16', () => {
  const forms: HalfForm[] = ['words'];
  beforeAll(async () => {
    await initBackend('webgpu', { device: softwareAdapter() });
    const { halfForm, device } = backend();
    expect(halfForm === 'f16').toBe(device.features.has('shader-f16'));
    if (halfForm) forms.push(halfForm);
  });

  /** Runs `f` with products in a form. */
  async function inForm<T>(form: HalfForm | undefined, f: () => Promise<T>): Promise<T> {
    await initBackend('webgpu');
    const own = backend();
    const before = own.halfForm;
    own.halfForm = form;
    try {
      return await f();
    } finally {
      own.halfForm = before;
    }
  }

  it('are those of float32 on the same numbers', async () => {
    const rng = Rng.of(51, 'halves');
    for (const [m, n, k] of [
      [9, 4, 4],
      [33, 36, 20],
      [0, 8, 8],
      [70, 32, 72],
      [520, 508, 4],
      // not of a width that is read four at a time
      [12, 8, 6],
      [12, 7, 8],
    ] as const) {
      const x = normal(rng, [m, k]);
      // rows of very different sizes, one of zeros, and one of which most is small beside its largest
      const sizes = [1, 1e-20, 1e25, 0, 3];
      x.values = x.values.map((value, i) => value * sizes[Math.floor(i / k) % sizes.length]!);
      if (m > 4) x.values[4 * k] = 3e4;
      const weight = normal(rng, [n, k]);
      weight.values = rounded(weight.values);
      const dy = normal(rng, [m, n], 1e-8);
      const bias = normal(rng, [n]);
      const compute = (...[left, w, b, d]: tf.Tensor[]): tf.Tensor[] => {
        const matrix = toFloatType(w!, tf.getBackend() === 'webgpu' ? 'float16' : 'float32') as tf.Tensor2D;
        return [
          ops.frozenLinear(left as tf.Tensor2D, matrix, b as tf.Tensor1D),
          tf.matMul(left as tf.Tensor2D, matrix, false, true),
          tf.matMul(d as tf.Tensor2D, matrix),
        ];
      };
      const scaled = (tensors: PlainTensor[]): PlainTensor[] =>
        tensors.flatMap((tensor) => {
          // each row is compared by its own size
          const width = tensor.shape[1]!;
          return Array.from({ length: tensor.shape[0]! }, (_, row) => ({
            ...tensor,
            shape: [width],
            values: tensor.values.slice(row * width, (row + 1) * width),
          }));
        });
      const isHalf = [k % 4 === 0, k % 4 === 0, n % 4 === 0 && k % 4 === 0];
      const plain = await runOn('cpu', [x, weight, bias, dy], compute);
      const halves = await runOn('cpu', [roundedRows(x), weight, bias, roundedRows(dy)], compute);
      const expected = isHalf.map((half, i) => (half ? halves : plain)[i]!);
      for (const form of forms) {
        const actual = await inForm(form, () => runOn('webgpu', [x, weight, bias, dy], compute));
        const [all, references] = [scaled(actual), scaled(expected)];
        expect(all.length).toBe(references.length);
        for (const [i, reference] of references.entries()) {
          const size = Math.max(...reference.values.map(Math.abs)) || 1;
          const unit = ({ values, ...rest }: PlainTensor) => ({
            ...rest,
            values: values.map((v) => v / size),
          });
          expectClose(unit(all[i]!), unit(reference), 2e-5, `${form} [${m}, ${n}, ${k}], #${i}`);
        }
      }
    }
  });

  it('a part of the rows is computed as all of them are, where it belongs', async () => {
    const [m, k, n] = [40, 8, 12];
    for (const form of forms) {
      const [whole, part] = await inForm(form, () =>
        runOn('webgpu', [normal(Rng.of(54), [m, k]), normal(Rng.of(55), [n, k])], (x, w) => {
          const matrix = toFloatType(w as tf.Tensor2D, 'float16');
          const out = tf.zeros([m, n]);
          const rows = { m: 10, n, k, startA: 20 * k, startOut: 30 * n, transposeB: true };
          multiplyInto(backend(), { a: x, b: matrix, ...rows }, out);
          return [tf.matMul(x as tf.Tensor2D, matrix, false, true), out];
        }),
      );
      const expected = [...Array(30 * n).fill(0), ...whole!.values.slice(20 * n, 30 * n)];
      expect(part!.values).toEqual(expected);
    }
  });

  it('a row that is not finite is no number, and no other row', async () => {
    const [m, k, n] = [40, 8, 12];
    for (const [value, form] of [Number.NaN, Number.POSITIVE_INFINITY].flatMap((each) =>
      forms.map((own) => [each, own] as const),
    )) {
      const x = normal(Rng.of(52), [m, k]);
      x.values[7 * k + 3] = value;
      const [y] = await inForm(form, () =>
        runOn('webgpu', [x, normal(Rng.of(53), [n, k])], (left, w) =>
          tf.matMul(left as tf.Tensor2D, toFloatType(w as tf.Tensor2D, 'float16'), false, true),
        ),
      );
      const finite = Array.from({ length: m }, (_, row) =>
        y!.values.slice(row * n, (row + 1) * n).map(Number.isFinite),
      );
      expect(finite).toEqual(Array.from({ length: m }, (_, row) => Array(n).fill(row !== 7)));
    }
  });

  it('a model has logits, loss and gradients near those of float32, and each form has those of the other', async () => {
    const results = (form: HalfForm | undefined) =>
      inForm(form, async () => {
        const decoder = await loadDecoder(fixture('qwen2'), {
          adapterPath: fixture('qwen2', 'lora'),
          trainable: 'adapter',
          floatType: 'float16',
        });
        const logits = tf.tidy(() => decoder.logits(decoder.forward(packed)));
        const { loss, gradients } = await lossAndGradients(decoder);
        const read = new Map<string, Float32Array>();
        for (const [name, x] of [['logits', logits], ...gradients] as const) {
          read.set(name, (await x.data()) as Float32Array);
        }
        tf.dispose([logits, ...gradients.values()]);
        decoder.dispose();
        return { loss, read };
      });
    const plain = await results(undefined);
    const words = await results('words');
    const others = forms.includes('f16') ? [await results('f16')] : [];
    expect(Math.abs(words.loss - plain.loss)).toBeLessThan(1e-3);
    const truth = expectedOf('qwen2', 'lora').get('logits')!.values;
    const distances = [];
    for (const [name, values] of plain.read) {
      const distance = await errorOf(tf.tensor1d(words.read.get(name)!), values, 1e-4);
      distances.push(distance);
      expect(distance, name).toBeLessThan(3e-3);
      for (const other of others) {
        expect(await errorOf(tf.tensor1d(other.read.get(name)!), words.read.get(name)!, 1e-4)).toBeLessThan(
          1e-5,
        );
      }
    }
    expect(Math.max(...distances)).toBeGreaterThan(1e-5);
    expect(await errorOf(tf.tensor1d(words.read.get('logits')!), truth)).toBeLessThan(3e-3);
  });
});

describe.runIf(isPresent)("by Dawn's compiler", () => {
  it('the shaders of an adapter with shader-f16 are right', async () => {
    const { create } = await loadDawn();
    const instance = create(['backend=null']);
    const adapter = await instance.requestAdapter();
    await registerOnAdapter(adapter!, 'a device that computes nothing');
    await tf.setBackend('webgpu');
    expect(backend().halfForm).toBe('f16');
    tf.tidy(() => {
      for (const [m, n] of [
        [16, 16],
        [512, 512],
      ] as const) {
        const weight = toFloatType(tf.zeros([n, n]), 'float16') as tf.Tensor2D;
        for (const transposed of [false, true]) tf.matMul(tf.zeros([m, n]), weight, false, transposed);
        ops.frozenLinear(tf.zeros([m, n]), weight, tf.zeros([n]));
      }
    });
    backend().submitQueue();
    await backend().queue.onSubmittedWorkDone();
    expect(() => backend().check()).not.toThrow();
  });
});
