/** Weights that are rounded to int8: what is computed is what the rounded numbers give, in less memory. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { saveDataset } from '../../src/arc/dataset.js';
import { generateTasks } from '../../src/arc/generate.js';
import { Rng } from '../../src/common/rng.js';
import { infer } from '../../src/experiments/infer.js';
import { baseModelFolder, startKnobs } from '../../src/experiments/start.js';
import {
  attachAdapter,
  bytesToAttach,
  type Decoder,
  detachAdapter,
  loadDecoder,
  readConfig,
  readSafetensors,
  saveModel,
  writeSafetensors,
} from '../../src/models/index.js';
import { Int8Weight } from '../../src/models/int8-weight.js';
import { readAdapter } from '../../src/models/load.js';
import { weightBytes } from '../../src/models/weight-bytes.js';
import { openModel } from '../../src/session/index.js';
import { quantizeRows } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { modelMemory } from '../../src/tools/model-memory.js';
import { backends } from '../parity/backends.js';
import {
  families,
  fixture,
  lossAndGradients,
  packed,
  relativeError,
  useBackend,
} from '../parity/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'arclab-int8-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const isMatrix = (name: string) => /layers\.\d+\..*_proj\.weight$/.test(name);

/** A copy of a model whose matrices are rounded by hand, row by row. */
function roundedCopy(family: string): string {
  const folder = join(scratch, family);
  cpSync(fixture(family), folder, { recursive: true });
  const tensors = readSafetensors(fixture(family, 'model.safetensors'));
  const rounded = Array.from(tensors, ([name, { shape, values }]) => {
    if (!isMatrix(name)) return [name, { shape, values }] as const;
    const [rows, width] = shape as [number, number];
    const result = Float32Array.from(values);
    for (let row = 0; row < rows; row++) {
      const own = result.subarray(row * width, (row + 1) * width);
      const unit = Math.fround(Math.max(...own.map(Math.abs)) / 127);
      own.forEach((value, i) => {
        own[i] = unit * Math.round(value / unit);
      });
    }
    return [name, { shape, values: result }] as const;
  });
  writeSafetensors(join(folder, 'model.safetensors'), rounded as never);
  return folder;
}

const logitsOf = (decoder: Decoder) =>
  tf.tidy(() =>
    tf
      .cast(decoder.logits(decoder.forward(packed)), 'float32')
      .dataSync<'float32'>()
      .slice(),
  );

const open = async (...parameters: Parameters<typeof loadDecoder>) => {
  const decoder = await loadDecoder(...parameters);
  onTestFinished(() => decoder.dispose());
  return decoder;
};

describe.skipIf(!backends.includes('torch'))('on torch', () => {
  const folders = new Map<string, string>();
  beforeAll(async () => {
    await useBackend('torch');
    for (const family of families) folders.set(family, roundedCopy(family));
  });

  it.each(families)('%s computes as a model whose matrices were rounded', async (family) => {
    const expected = logitsOf(await open(folders.get(family)!));
    const rounded = await open(fixture(family), { weights: 'int8' });
    expect(relativeError(logitsOf(rounded), expected)).toBeLessThan(1e-5);
    // rounding is not nothing, and not much
    const off = relativeError(logitsOf(rounded), logitsOf(await open(fixture(family))));
    expect(off).toBeGreaterThan(1e-5);
    expect(off).toBeLessThan(0.05);
  });

  it.each(families)('%s does so in half precision, whatever the widths of its matrices', async (family) => {
    for (const floatType of ['bfloat16', 'float16'] as const) {
      const expected = logitsOf(await open(folders.get(family)!, { floatType }));
      const rounded = await open(fixture(family), { floatType, weights: 'int8' });
      expect(relativeError(logitsOf(rounded), expected), floatType).toBeLessThan(0.05);
    }
  });

  it('caps scores where such a matrix is the head', () => {
    const rng = Rng.of(6, 'head');
    const draw = (count: number) => Float32Array.from({ length: count }, () => rng.normal());
    const { words, scales } = quantizeRows(draw(10 * 8), 8);
    const weight = new Int8Weight(
      { words: tf.tensor2d(words, [10, 2]), scales: tf.tensor1d(scales) },
      'float32',
    );
    const x = tf.tensor2d(draw(5 * 8), [5, 8]);
    const labels = Int32Array.of(3, 1, 4, 1, 5);
    const found = weight.labelLogProbs(x, labels, { training: false, softCap: 2 });
    const expected = tf.tidy(() => {
      const scores = tf.mul(tf.tanh(tf.div(tf.matMul(x, weight.dense(), false, true), 2)), 2);
      return tf.sum(tf.mul(tf.logSoftmax(scores), tf.oneHot(tf.tensor1d(labels, 'int32'), 10)), 1);
    });
    expect(relativeError(found, expected.dataSync())).toBeLessThan(1e-5);
    tf.dispose([found, expected, x]);
    weight.dispose();
  });

  it('trains an adapter as on such a model, in half precision too', async () => {
    for (const [floatType, tolerance] of [
      ['float32', 1e-4],
      ['bfloat16', 0.1],
    ] as const) {
      const options = { adapterPath: fixture('qwen2', 'lora'), trainable: 'adapter', floatType } as const;
      const dense = await open(folders.get('qwen2')!, options);
      const rounded = await open(fixture('qwen2'), { ...options, weights: 'int8' });
      const [expected, found] = [await lossAndGradients(dense), await lossAndGradients(rounded)];
      expect(found.loss).toBeCloseTo(expected.loss, floatType === 'float32' ? 5 : 1);
      expect(found.gradients.size).toBe(expected.gradients.size);
      for (const [name, gradient] of found.gradients) {
        const error = relativeError(gradient, Array.from(await expected.gradients.get(name)!.data()));
        expect(error, name).toBeLessThan(tolerance);
      }
    }
  });

  it('keeps a byte for each number and four for each row, and gives all of it back', async () => {
    const before = tf.memory().numTensors;
    const [plain, rounded] = [
      await loadDecoder(fixture('qwen2')),
      await loadDecoder(fixture('qwen2'), { weights: 'int8' }),
    ];
    const saved = plain
      .projections()
      .reduce(
        (sum, { weight: { shape } }) => sum + 4 * shape[0] * shape[1] - (shape[0] * shape[1] + 4 * shape[0]),
        0,
      );
    expect(plain.bytes - rounded.bytes).toBe(saved);
    plain.dispose();
    rounded.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(families)('takes the bytes that doctor predicts: %s', async (family) => {
    for (const form of [
      { floatType: 'float32' },
      { floatType: 'float16' },
      { floatType: 'float32', weights: 'int8' },
      { floatType: 'bfloat16', weights: 'int8' },
    ] as const) {
      const decoder = await open(fixture(family), form);
      expect(weightBytes(readConfig(fixture(family)), form)).toBe(decoder.bytes);
    }
  });

  it('doctor says what a model takes', async () => {
    const options = {
      modelPath: fixture('qwen2'),
      backend: 'torch',
      device: 'cpu',
      weights: 'int8',
    } as const;
    const lines = new Map((await modelMemory(options)).map(({ name, found }) => [name, found]));
    expect(lines.get('model')).toMatch(/^qwen2, \d+\.\d million weights, \d+ layers$/);
    expect(lines.get('weights, predicted')).toMatch(
      /^float32 .*; float16 .*; float32 with weights int8 .*; float16 with/,
    );
    expect(lines.get('cache, predicted')).toMatch(/for 1,000 tokens$/);
    expect(lines.get('LoRA pass, predicted')).toMatch(
      /^rank 16, 4,096 tokens: float32 .*, with gradient checkpointing/,
    );
    const [, found, predicted] =
      /^float32 with weights int8 on torch \(cpu\): (.*), predicted (.*); the process/.exec(
        lines.get('weights, measured')!,
      )!;
    expect(found).toBe(predicted);
    await expect(modelMemory({ ...options, backend: 'cpu' })).rejects.toThrow(
      /`weights: int8`: the backend cpu/,
    );
    await useBackend('torch');
  });

  it('keeps adapters beside it, whatever way they are attached, and detaches them bit for bit', async () => {
    const decoder = await open(fixture('qwen2'), { weights: 'int8' });
    const adapter = readAdapter(fixture('qwen2', 'lora'), decoder.adapterBase());
    const bare = logitsOf(decoder);
    const dense = await open(folders.get('qwen2')!, { adapterPath: fixture('qwen2', 'lora') });
    const expected = logitsOf(dense);
    const tensors = tf.memory().numTensors;
    for (const merge of ['copy', 'never', 'replace'] as const) {
      expect(bytesToAttach(decoder, adapter, { merge })).toBe(
        bytesToAttach(decoder, adapter, { merge: 'never' }),
      );
      await attachAdapter(decoder, adapter, { merge });
      expect(relativeError(logitsOf(decoder), expected), merge).toBeLessThan(1e-4);
      expect(decoder.projections().some(({ adapter }) => adapter !== undefined)).toBe(true);
      detachAdapter(decoder);
      expect(logitsOf(decoder)).toEqual(bare);
    }
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('is refused where weights are trained, saved, or have a start taken out of them', async () => {
    const refused = (promise: Promise<unknown>, message: RegExp) => expect(promise).rejects.toThrow(message);
    await refused(
      loadDecoder(fixture('qwen2'), { weights: 'int8', trainable: 'all' }),
      /^`weights: int8`: weights that are rounded cannot be trained; train an adapter/,
    );
    const decoder = await open(fixture('llama'), { weights: 'int8' });
    await refused(
      saveModel(decoder, join(scratch, 'saved')),
      /rounded \(`weights: int8`\), and are not saved so/,
    );
    const pissa = { adapterPath: fixture('llama', 'pissa'), weights: 'int8' } as const;
    await refused(loadDecoder(fixture('llama'), pissa), /PiSSA.*`weights: int8` has rounded/);
    const lora = { rank: 2, alpha: 2, dropout: 0, useRslora: false, useDora: false, init: 'olora' as const };
    const olora = loadDecoder(fixture('llama'), { lora, rng: Rng.of(1), weights: 'int8' });
    await refused(olora, /OLoRA.*`weights: int8` has rounded/);
  });

  it('answers, with an adapter and without, by file and in a session', async () => {
    const tasks = generateTasks({ ...startKnobs, generators: ['recolor-one'], count: 3, seed: 2 });
    const datasetPath = join(scratch, 'tasks.json');
    saveDataset(datasetPath, tasks);
    const model = {
      modelPath: baseModelFolder(),
      gridEncoder: 'MinimalGridEncoder()',
      backend: 'torch',
    } as const;
    const ask = { promptVersion: 'output-from-examples-mini', predictionsPerTask: 2, maxNewTokens: 30 };
    const outputPath = join(scratch, 'answers.json');
    const file = await infer({ ...model, ...ask, weights: 'int8', datasetPath, outputPath });
    using session = await openModel({ ...model, weights: 'int8' });
    const held = await session.infer(tasks, ask);
    expect(held.predictions).toEqual(file.predictions);
    expect(held.predictions.some(({ grid }) => grid !== null)).toBe(true);
  });
});

it('is refused on a backend that keeps float32 alone', async () => {
  await useBackend('cpu');
  await expect(loadDecoder(fixture('qwen2'), { weights: 'int8' })).rejects.toThrow(
    /^`weights: int8`: the backend cpu keeps weights in float32 only; choose `backend: torch`, or leave out `weights`$/,
  );
});
