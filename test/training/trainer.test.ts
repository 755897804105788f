import { beforeAll, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { type Decoder, type LoraOptions, loadDecoder } from '../../src/models/index.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { DivergedError } from '../../src/training/errors.js';
import { microBatchGradients } from '../../src/training/loss.js';
import { AdamW } from '../../src/training/optimizer.js';
import { labelCount } from '../../src/training/packing.js';
import type { TrainingSample } from '../../src/training/sample.js';
import { type StepReport, Trainer, type TrainerOptions } from '../../src/training/trainer.js';
import { evaluateLoss } from '../../src/training/validation.js';
import { backendsUnderTest } from '../prerequisites/index.js';
import { temporaryFolder } from './temporary.js';
import { writeTinyModel } from './tiny.js';

const lora: LoraOptions = {
  rank: 2,
  alpha: 4,
  dropout: 0,
  useRslora: false,
  useDora: false,
  init: 'gaussian',
};

beforeAll(async () => {
  await initBackend('wasm');
});

function tinyDecoder(options: Partial<LoraOptions> = {}): Promise<Decoder> {
  const folder = writeTinyModel(temporaryFolder());
  return loadDecoder(folder, { lora: { ...lora, ...options }, rng: Rng.of(1, 'lora') });
}

/** Random samples of different lengths. */
function randomSamples(count: number, weight = 1): TrainingSample[] {
  return Array.from({ length: count }, (_, index) => {
    const rng = Rng.of(5, index);
    const length = rng.int(6, 24);
    return {
      index,
      tokens: Int32Array.from({ length }, () => rng.int(0, 250)),
      labelSpans: [[rng.int(1, length - 2), length]],
      kind: index % 2 === 0 ? 'even' : 'odd',
      dataset: 'data',
      weight: index % 2 === 0 ? 1 : weight,
    };
  });
}

const options: TrainerOptions = {
  maxBadSteps: 5,
  seed: 3,
  schedule: () => 1e-2,
  batchSize: 6,
  maxTokensPerBatch: 1000,
  maxGradNorm: 0,
  weightDecay: 0.01,
};

function endless(samples: readonly TrainingSample[]) {
  let i = 0;
  return { next: async () => samples[i++ % samples.length]! };
}

/** Weights by name after some steps, and what the last step reported. */
async function trained(
  decoder: Decoder,
  changes: Partial<TrainerOptions>,
  { steps = 1, weight = 1 } = {},
): Promise<{ weights: Map<string, Float32Array>; report: StepReport }> {
  const trainer = new Trainer(decoder, endless(randomSamples(6, weight)), { ...options, ...changes });
  let report: StepReport | undefined;
  for (let i = 0; i < steps; i++) report = await trainer.step();
  const weights = new Map(
    Array.from(decoder.trainableVariables(), ([name, v]) => [name, Float32Array.from(v.dataSync())]),
  );
  trainer.dispose();
  decoder.dispose();
  return { weights, report: report! };
}

function largestDifference(a: Map<string, Float32Array>, b: Map<string, Float32Array>): number {
  expect([...a.keys()]).toEqual([...b.keys()]);
  return Math.max(
    ...Array.from(a, ([name, x]) => Math.max(...x.map((v, i) => Math.abs(v - b.get(name)![i]!)))),
  );
}

test.each([0, 0.3])(
  'how a global batch is split changes neither loss nor update, with dropout %s',
  async (dropout) => {
    const adapter = { dropout, targetModules: ['q_proj', 'down_proj', 'lm_head'] };
    const whole = await trained(await tinyDecoder(adapter), {});
    const split = await trained(await tinyDecoder(adapter), { maxTokensPerBatch: 30 });
    const single = await trained(await tinyDecoder(adapter), { maxTokensPerBatch: 1 });
    expect([whole, split, single].map(({ report }) => report.microBatches)).toEqual([
      1,
      expect.any(Number),
      6,
    ]);
    expect(split.report.microBatches).toBeGreaterThan(1);
    for (const other of [split, single]) {
      expect(other.report.loss).toBeCloseTo(whole.report.loss, 5);
      expect(other.report.gradNorm).toBeCloseTo(whole.report.gradNorm, 5);
      // a step of AdamW has the size of the learning rate, 1e-2
      expect(largestDifference(other.weights, whole.weights)).toBeLessThan(1e-4);
    }
  },
);

test('`adamBeta2` says how much of the squared gradients is forgotten', async () => {
  const secondMoments = async (adamBeta2?: number) => {
    const decoder = await tinyDecoder();
    const trainer = new Trainer(decoder, endless(randomSamples(6)), {
      ...options,
      ...(adamBeta2 === undefined ? {} : { adamBeta2 }),
    });
    await trainer.step();
    const moments = [...trainer.optimizer.tensors()].filter(([name]) => name.startsWith('exp_avg_sq.'));
    const sums = await Promise.all(
      moments.map(async ([, moment]) => (await moment.read()).reduce((sum, value) => sum + value, 0)),
    );
    trainer.dispose();
    decoder.dispose();
    return sums.reduce((a, b) => a + b);
  };
  // after the first step the moments are (1 − β2) g²
  const byDefault = await secondMoments();
  expect((await secondMoments(0.9)) / byDefault).toBeCloseTo(100, 1);
  expect((await secondMoments(0.98)) / byDefault).toBeCloseTo(20, 1);
});

test.each([
  'wasm',
  ...backendsUnderTest({ awaited: true }).filter((name) => name !== 'tensorflow' && name !== 'wasm'),
])('%s: gradient checkpointing changes no bit, with dropout and DoRA', async (backend) => {
  await initBackend(backend);
  const run = async (checkpointing: boolean) => {
    const decoder = await tinyDecoder({
      dropout: 0.3,
      useDora: true,
      targetModules: ['q_proj', 'o_proj', 'down_proj'],
    });
    decoder.gradientCheckpointing = checkpointing;
    const before = tf.memory().numTensors;
    const { gradients, logProbs } = microBatchGradients(decoder, randomSamples(3), {
      divisor: 7,
      rng: Rng.of(4),
    });
    const values: number[][] = [];
    for (const gradient of Object.values(gradients)) values.push(Array.from(await gradient.data()));
    expect(tf.memory().numTensors - before - values.length - 1, 'tensors left behind').toBeLessThanOrEqual(
      // the squares of DoRA's base weights, and the rotary table
      3 * decoder.layers.length + 2,
    );
    const result = { values, logProbs: Array.from(await logProbs.data()) };
    tf.dispose([gradients, logProbs]);
    decoder.dispose();
    return result;
  };
  const [plain, checkpointed] = [await run(false), await run(true)];
  expect(checkpointed.logProbs).toEqual(plain.logProbs);
  expect(checkpointed.values).toEqual(plain.values);
  await initBackend('wasm');
});

test('the summed gradient of micro-batches equals that of the global batch', async () => {
  const decoder = await tinyDecoder();
  const samples = randomSamples(6, 0.25);
  const divisor = samples.reduce((sum, s) => sum + labelCount(s), 0);
  const gradient = (part: readonly TrainingSample[]) =>
    microBatchGradients(decoder, part, { divisor, rng: Rng.of(1) }).gradients;
  const whole = gradient(samples);
  const parts = [samples.slice(0, 1), samples.slice(1, 5), samples.slice(5)].map(gradient);
  for (const [name, expected] of Object.entries(whole)) {
    const sum = tf.addN(parts.map((part) => part[name]!)).dataSync();
    for (const [i, value] of expected.dataSync().entries()) expect(sum[i]).toBeCloseTo(value, 6);
  }
});

test('a loss weight multiplies the loss of its prompt kind, and the reported losses per kind stay unweighted', async () => {
  const plain = (await trained(await tinyDecoder(), {})).report;
  const weighted = (await trained(await tinyDecoder(), {}, { weight: 0.5 })).report;
  expect(weighted.tally.byKind()).toEqual(plain.tally.byKind());
  const { even, odd } = plain.tally.byKind();
  expect(plain.loss).toBeCloseTo((even!.loss * even!.labels + odd!.loss * odd!.labels) / plain.labels, 6);
  expect(weighted.loss).toBeCloseTo(
    (even!.loss * even!.labels + 0.5 * odd!.loss * odd!.labels) / plain.labels,
    6,
  );
});

test('gradients above the largest norm are scaled down to it', async () => {
  const decoder = await tinyDecoder();
  const trainer = new Trainer(decoder, endless(randomSamples(6)), { ...options, maxGradNorm: 1e-3 });
  let seen: tf.NamedTensorMap = {};
  const { update } = trainer.optimizer;
  trainer.optimizer.update = (gradients, step, rate) => {
    seen = Object.fromEntries(Object.entries(gradients).map(([name, g]) => [name, tf.clone(g)]));
    update.call(trainer.optimizer, gradients, step, rate);
  };
  const report = await trainer.step();
  expect(report.gradNorm).toBeGreaterThan(1e-3);
  const squares = Object.values(seen).flatMap((gradient) => Array.from(gradient.dataSync(), (v) => v * v));
  expect(Math.sqrt(squares.reduce((a, b) => a + b, 0))).toBeCloseTo(1e-3, 6);
});

test('the loss falls, and the same seed gives the same weights with dropout', async () => {
  const run = async () =>
    trained(await tinyDecoder({ dropout: 0.2 }), { maxTokensPerBatch: 40 }, { steps: 8 });
  const [a, b] = [await run(), await run()];
  expect(largestDifference(a.weights, b.weights)).toBe(0);
  const first = (await trained(await tinyDecoder({ dropout: 0.2 }), { maxTokensPerBatch: 40 })).report;
  expect(a.report.loss).toBeLessThan(first.loss - 0.05);
});

test.each(['cpu', 'wasm'])('%s: steps and evaluations leave no tensor behind', async (backend) => {
  await initBackend(backend);
  const decoder = await tinyDecoder({ dropout: 0.1, useDora: true });
  const samples = randomSamples(6);
  const trainer = new Trainer(decoder, endless(samples), {
    ...options,
    maxTokensPerBatch: 40,
    maxGradNorm: 0.01,
  });
  await trainer.step();
  await evaluateLoss(decoder, samples, options);
  const { numTensors, numBytes } = tf.memory();
  for (let i = 0; i < 3; i++) {
    await trainer.step();
    await evaluateLoss(decoder, samples, options);
  }
  expect(tf.memory()).toMatchObject({ numTensors, numBytes });
  trainer.dispose();
  decoder.dispose();
});

test('a gradient that is not finite changes nothing, and too many in a row end the run', async () => {
  const decoder = await tinyDecoder();
  const bad = randomSamples(6).map((sample) => ({ ...sample, weight: Number.NaN }));
  const trainer = new Trainer(decoder, endless(bad), options);
  const before = Array.from(decoder.trainableVariables().values(), (v) => Float32Array.from(v.dataSync()));
  expect(await trainer.step()).toMatchObject({ updated: false });
  for (let i = 0; i < 3; i++) await trainer.step();
  await expect(trainer.step()).rejects.toThrow(DivergedError);
  const patient = new Trainer(decoder, endless(bad), { ...options, maxBadSteps: -1 });
  for (let i = 0; i < 8; i++) await patient.step();
  const hasty = new Trainer(decoder, endless(bad), { ...options, maxBadSteps: 1 });
  await expect(hasty.step()).rejects.toThrow('the gradient has not been finite for 1 step,');
  const after = Array.from(decoder.trainableVariables().values(), (v) => Float32Array.from(v.dataSync()));
  expect(after).toEqual(before);
});

test('only a run that was well before is told to lower its learning rate', async () => {
  const decoder = await tinyDecoder();
  const bad = randomSamples(6).map((sample) => ({ ...sample, weight: Number.NaN }));
  const fail = async (trainer: Trainer) => {
    for (let i = 0; i < 7; i++) await trainer.step();
  };
  const fresh = new Trainer(decoder, endless(bad), options);
  await expect(fail(fresh)).rejects.toThrow(
    /from the beginning: the model's numbers are not finite in float32; check the weights/,
  );
  await expect(fresh.step()).rejects.not.toThrow(/learning_rate/);
  const source = [...randomSamples(options.batchSize), ...bad, ...bad, ...bad, ...bad, ...bad];
  const spoiled = new Trainer(decoder, endless(source), options);
  await expect(fail(spoiled)).rejects.toThrow(/after it was before: lower `learningRate`/);
});

test('validation losses per prompt kind are means over labels', async () => {
  const decoder = await tinyDecoder();
  const samples = randomSamples(6);
  const all = (await evaluateLoss(decoder, samples, options))!;
  const even = (await evaluateLoss(
    decoder,
    samples.filter(({ kind }) => kind === 'even'),
    { ...options, maxTokensPerBatch: 1 },
  ))!;
  expect(all.kinds.even!.loss).toBeCloseTo(even.loss, 5);
  expect(all.kinds.even!.labels + all.kinds.odd!.labels).toBe(all.labels);
  expect(all.datasets.data).toEqual({ loss: all.loss, labels: all.labels });
});

test('an update does not change tensors that a variable was made from', () => {
  const source = tf.tensor1d([1, 2]);
  const variable = tf.variable(source);
  const optimizer = new AdamW(new Map([['x', variable]]), { weightDecay: 0 });
  const gradients = { [variable.name]: tf.tensor1d([1, -1]) };
  optimizer.update(gradients, 1, 0.5);
  expect(Array.from(source.dataSync())).toEqual([1, 2]);
  expect(Array.from(variable.dataSync(), (value) => Math.round(value * 1e4) / 1e4)).toEqual([0.5, 2.5]);
  optimizer.dispose();
  tf.dispose([source, variable, gradients]);
});
