import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { type Decoder, loadDecoder } from '../../src/models/index.js';
import { initBackend } from '../../src/tensors/backend.js';
import type { FloatType } from '../../src/tensors/precision.js';
import * as tf from '../../src/tensors/tf.js';
import { DivergedError } from '../../src/training/errors.js';
import { LossScale } from '../../src/training/loss-scale.js';
import type { TrainingSample } from '../../src/training/sample.js';
import { Trainer } from '../../src/training/trainer.js';
import { backendsUnderTest } from '../prerequisites/index.js';
import { temporaryFolder } from './temporary.js';
import { writeTinyModel } from './tiny.js';

describe('LossScale', () => {
  test('is halved by an overflow, and doubled after 2,000 steps without one', () => {
    const scale = new LossScale(true);
    expect(scale.value).toBe(65536);
    expect(scale.update(false)).toBe(false);
    expect(scale.value).toBe(32768);
    for (let i = 0; i < 1999; i++) scale.update(true);
    expect(scale.value).toBe(32768);
    scale.update(true);
    expect(scale.value).toBe(65536);
  });

  test('gives a step up only when it cannot get smaller', () => {
    const scale = new LossScale(true);
    const lost = Array.from({ length: 17 }, () => scale.update(false));
    expect(lost.indexOf(true)).toBe(16);
    expect(scale.value).toBe(1);
  });

  test('is 1 where it is not needed', () => {
    const scale = new LossScale(false);
    expect([scale.update(true), scale.update(false), scale.value]).toEqual([false, true, 1]);
  });
});

describe.runIf(backendsUnderTest().includes('torch'))('training in float16', () => {
  const sample = {
    tokens: Int32Array.from({ length: 12 }, (_, i) => (i * 37) % 250),
    index: 0,
    labelSpans: [[6, 12]],
    weight: 1,
    kind: 'kind',
    dataset: 'data',
  } as TrainingSample;

  async function start(floatType: FloatType): Promise<{ decoder: Decoder; trainer: Trainer }> {
    await initBackend('torch');
    const lora = {
      rank: 2,
      alpha: 4,
      dropout: 0,
      useRslora: false,
      useDora: false,
      init: 'gaussian',
    } as const;
    const decoder = await loadDecoder(writeTinyModel(temporaryFolder()), {
      lora,
      rng: Rng.of(1, 'lora'),
      floatType,
    });
    const trainer = new Trainer(
      decoder,
      { next: async () => sample },
      {
        seed: 3,
        schedule: () => 1e-2,
        batchSize: 2,
        maxTokensPerBatch: 100,
        maxGradNorm: 1,
        weightDecay: 0,
        maxBadSteps: 5,
      },
    );
    return { decoder, trainer };
  }

  const weightsOf = (decoder: Decoder) =>
    Array.from(decoder.trainableVariables().values(), (v) => Array.from(v.dataSync())).flat();

  test('a factor on the loss changes neither the norm of the gradient nor the update', async () => {
    const [whole, half] = [await start('float32'), await start('float16')];
    half.trainer.state = { step: 0, badSteps: 0, lossScale: { scale: 4096, goodSteps: 0 } };
    const [a, b] = [await whole.trainer.step(), await half.trainer.step()];
    expect([a.lossScale, b.lossScale]).toEqual([1, 4096]);
    expect(b.gradNorm / a.gradNorm).toBeCloseTo(1, 2);
    const expected = weightsOf(whole.decoder);
    for (const [i, weight] of weightsOf(half.decoder).entries()) {
      // a first step of AdamW is as long as the learning rate, whatever the gradient
      expect(Math.abs(weight - expected[i]!)).toBeLessThan(2e-3);
    }
    for (const { trainer, decoder } of [whole, half]) {
      trainer.dispose();
      decoder.dispose();
    }
  });

  test('a step that overflows changes no weight, and halves the factor', async () => {
    const { decoder, trainer } = await start('float16');
    trainer.state = { step: 0, badSteps: 0, lossScale: { scale: 2 ** 40, goodSteps: 3 } };
    const before = weightsOf(decoder);
    const report = await trainer.step();
    expect(report).toMatchObject({ updated: false, lossScale: 2 ** 40 });
    expect(Number.isFinite(report.loss)).toBe(true);
    expect(weightsOf(decoder)).toEqual(before);
    expect(trainer.state).toEqual({ step: 1, badSteps: 0, lossScale: { scale: 2 ** 39, goodSteps: 0 } });
    trainer.dispose();
    decoder.dispose();
  });

  test('a loss that overflows by itself ends the run with what to do', async () => {
    const { decoder, trainer } = await start('float16');
    for (const variable of decoder.trainableVariables().values()) {
      variable.assign(tf.add(variable, 60000));
    }
    const run = async () => {
      for (let i = 0; i < 6; i++) await trainer.step();
    };
    await expect(run()).rejects.toThrow(DivergedError);
    await expect(trainer.step()).rejects.toThrow(
      /float16 overflows at 65504: use `dtype: bfloat16` or float32/,
    );
    trainer.dispose();
    decoder.dispose();
  });
});
