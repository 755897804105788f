/** Muon, against torch.optim.Muon in float32 (make_muon.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { loadDecoder } from '../../src/models/index.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { Muon, orthogonalize } from '../../src/training/muon.js';
import { Trainer } from '../../src/training/trainer.js';
import { backendsUnderTest, openBackends } from '../prerequisites/index.js';
import { copyingSamples } from './copying-samples.js';
import { temporaryFolder } from './temporary.js';
import { writeTinyModel } from './tiny.js';

type Numbers = Readonly<Record<string, number[]>>;
const fixture = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', 'muon.json'), 'utf8')) as {
  learningRate: number;
  weightDecay: number;
  shapes: Numbers;
  start: Numbers;
  gradients: Numbers[];
  after: Numbers[];
};

describe.each(openBackends(backendsUnderTest()))('Muon on %s', (backend) => {
  test('changes weights as torch does', async () => {
    await initBackend(backend);
    const { shapes, start, gradients, after, learningRate, weightDecay } = fixture;
    const variables = new Map(
      Object.entries(start).map(([name, values]) => [name, tf.variable(tf.tensor(values, shapes[name]!))]),
    );
    const optimizer = new Muon(variables, { weightDecay });
    const counts: number[] = [];
    for (const [i, step] of gradients.entries()) {
      const given = Object.fromEntries(
        Object.entries(step).map(([name, values]) => [
          variables.get(name)!.name,
          tf.tensor(values, shapes[name]!),
        ]),
      );
      optimizer.update(given, i + 1, learningRate);
      tf.dispose(given);
      counts.push(tf.memory().numTensors);
      for (const [name, expected] of Object.entries(after[i]!)) {
        const found = await variables.get(name)!.data();
        for (const [j, value] of expected.entries()) expect(found[j]).toBeCloseTo(value, 5);
      }
    }
    expect(new Set(counts).size).toBe(1);
    optimizer.dispose();
    tf.dispose([...variables.values()]);
  });

  test('brings singular values near 1, whatever their size was, and leaves zeros', async () => {
    await initBackend(backend);
    const rng = Rng.of(3);
    const random = (...shape: [number, number, number]) =>
      tf.tensor3d(
        Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => rng.normal(0, 1)),
        shape,
      );
    tf.tidy(() => {
      for (const [rows, columns] of [
        [1, 1],
        [7, 40],
        [48, 96],
      ] as const) {
        const first = orthogonalize(random(2, rows, columns));
        const small = orthogonalize(tf.mul(random(2, rows, columns), 1e-5));
        for (const x of [first, small]) {
          // with V orthogonal, ‖xᵀv‖ lies between the extremes of the singular values for every unit vector v
          const direction = random(2, rows, 1);
          const ratio = tf.div(
            tf.sum(tf.square(tf.matMul(x, direction, true)), 1),
            tf.sum(tf.square(direction), 1),
          );
          for (const squared of ratio.dataSync()) {
            expect(Math.sqrt(squared)).toBeGreaterThan(0.6);
            expect(Math.sqrt(squared)).toBeLessThan(1.25);
          }
        }
      }
      for (const value of orthogonalize(tf.zeros([1, 3, 5])).dataSync()) expect(value).toBe(0);
    });
  });

  test('trains, goes on exactly from what was read, and its memory is flat', async () => {
    await initBackend(backend);
    const folder = writeTinyModel(temporaryFolder());
    const samples = copyingSamples(12);
    const start = async (from: number) => {
      let at = from * 4;
      const decoder = await loadDecoder(folder, { trainable: 'all' });
      const trainer = new Trainer(
        decoder,
        { next: async () => samples[at++ % samples.length]! },
        {
          seed: 1,
          schedule: () => 3e-3,
          batchSize: 4,
          maxTokensPerBatch: 1000,
          maxGradNorm: 1,
          weightDecay: 0.01,
          optim: 'muon',
        },
      );
      return { decoder, trainer };
    };
    const losses = async ({ trainer }: { trainer: Trainer }, steps: number) => {
      const found: number[] = [];
      for (let i = 0; i < steps; i++) found.push((await trainer.step()).loss);
      return found;
    };
    const [run, again] = [await start(0), await start(40)];
    const first = await losses(run, 40);
    expect(first.at(-1)).toBeLessThan(0.5 * first[0]!);
    const target = again.trainer.optimizer.tensors();
    for (const [name, tensor] of run.trainer.optimizer.tensors())
      target.get(name)!.write((await tensor.read()).slice());
    again.trainer.state = run.trainer.state;
    expect(await losses(again, 3)).toEqual(await losses(run, 3));
    const count = tf.memory().numTensors;
    await losses(again, 3);
    expect(tf.memory().numTensors).toBe(count);
    for (const { decoder, trainer } of [run, again]) {
      trainer.dispose();
      decoder.dispose();
    }
  });
});
