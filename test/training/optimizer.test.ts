/** AdamW whose moments are kept in 8 bits, against the same in float32. */
import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { loadDecoder } from '../../src/models/index.js';
import { initBackend } from '../../src/tensors/backend.js';
import { type RoundedKind, roundBlocks, wholeBlocks, withPlainKernels } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { AdamW } from '../../src/training/optimizer.js';
import { Trainer } from '../../src/training/trainer.js';
import { backendsUnderTest, openBackends } from '../prerequisites/index.js';
import { copyingSamples } from './copying-samples.js';
import { temporaryFolder } from './temporary.js';
import { writeTinyModel } from './tiny.js';

/** Numbers of very different sizes, zeros and a block of zeros among them. */
function spread(size: number, kind: RoundedKind): Float32Array {
  const rng = Rng.of(size, kind);
  return Float32Array.from({ length: size }, (_, i) => {
    if (i % 7 === 0 || (i >= 256 && i < 512)) return 0;
    const value = rng.normal(0, 1) * 10 ** rng.int(-9, 3);
    return kind === 'positive' ? value * value : value;
  });
}

/** The values of what `f` makes, of which nothing stays. */
async function numbers(f: () => tf.Tensor): Promise<Float32Array> {
  const made = tf.tidy(f);
  const values = (await made.data<'float32'>()).slice();
  made.dispose();
  return values;
}

describe.each(openBackends(backendsUnderTest({ awaited: true })))('rounded to 8 bits on %s', (backend) => {
  test.each(['signed', 'positive'] as const)(
    '%s numbers keep their size, and zeros stay zeros',
    async (kind) => {
      await initBackend(backend);
      // less than a block, whole blocks, and a part of one
      for (const size of [1, 5, 256, 768, 1000]) {
        const values = spread(size, kind);
        const before = tf.memory().numTensors;
        const whole = await numbers(() => wholeBlocks(roundBlocks(tf.tensor1d(values), kind), [size], kind));
        expect(tf.memory().numTensors).toBe(before);
        const floor = 2 ** (kind === 'signed' ? -127 / 8 : -254 / 8);
        for (let block = 0; block * 256 < size; block++) {
          const own = values.subarray(block * 256, (block + 1) * 256);
          const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          for (const [i, value] of own.entries()) {
            const found = whole[block * 256 + i]!;
            if (value === 0) expect(found).toBe(0);
            else if (Math.abs(value) > 1.05 * floor * largest) {
              expect(Math.sign(found)).toBe(Math.sign(value));
              // neighbouring codes are 2^(1/8) apart
              expect(Math.abs(Math.log2(found / value))).toBeLessThan(1 / 16 + 1e-3);
            } else if (kind === 'positive') {
              // never nothing: what is divided by its root would be without bounds
              expect(found).toBeGreaterThan(0);
            }
          }
        }
        // a second time nothing changes, and every backend reads what another has written
        const again = () => roundBlocks(tf.tensor1d(whole), kind);
        expect(await numbers(() => wholeBlocks(again(), [size], kind))).toEqual(whole);
        // which reads, so that it does not exist there
        if (backend === 'webgpu') continue;
        const plain = await numbers(() => {
          const blocks = again();
          return withPlainKernels(() => wholeBlocks(blocks, [size], kind));
        });
        for (const [i, value] of plain.entries())
          expect(Math.abs(value - whole[i]!)).toBeLessThanOrEqual(1e-5 * Math.abs(value));
      }
    },
  );
});

describe.each(openBackends(backendsUnderTest()))('trained in 8 bits on %s', (backend) => {
  test('training with them goes as in float32, in less memory, and goes on exactly from what was read', async () => {
    await initBackend(backend);
    const samples = copyingSamples(12);
    const folder = writeTinyModel(temporaryFolder());
    const start = async (optim: 'adamw' | 'adamw_8bit', from = 0) => {
      let at = from * 4;
      const decoder = await loadDecoder(folder, { trainable: 'all' });
      const next = async () => samples[at++ % samples.length]!;
      const options = {
        seed: 1,
        schedule: () => 3e-3,
        batchSize: 4,
        maxTokensPerBatch: 1000,
        maxGradNorm: 1,
        weightDecay: 0,
      };
      return { decoder, trainer: new Trainer(decoder, { next }, { ...options, optim }) };
    };
    const losses = async (trainer: Trainer, steps: number) => {
      const found: number[] = [];
      for (let i = 0; i < steps; i++) found.push((await trainer.step()).loss);
      return found;
    };
    const [plain, rounded] = [await start('adamw'), await start('adamw_8bit')];
    const [expected, found] = [await losses(plain.trainer, 60), await losses(rounded.trainer, 60)];
    const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
    expect(mean(expected.slice(-6))).toBeLessThan(0.6 * expected[0]!);
    expect(Math.abs(mean(found.slice(-6)) / mean(expected.slice(-6)) - 1)).toBeLessThan(0.05);

    const again = await start('adamw_8bit', 60);
    for (const [name, tensor] of rounded.trainer.optimizer.tensors()) {
      again.trainer.optimizer
        .tensors()
        .get(name)!
        .write((await tensor.read()).slice());
    }
    again.trainer.state = rounded.trainer.state;
    expect(await losses(again.trainer, 3)).toEqual(await losses(rounded.trainer, 3));

    const count = tf.memory().numTensors;
    await losses(rounded.trainer, 5);
    expect(tf.memory().numTensors).toBe(count);
    for (const { decoder, trainer } of [plain, rounded, again]) {
      trainer.dispose();
      decoder.dispose();
    }
  });
});

test('two bytes for each weight, and eight for each 256 of them', async () => {
  await initBackend('cpu');
  const variable = tf.variable(tf.zeros([40, 64]));
  const before = tf.memory().numBytes;
  const optimizer = new AdamW(new Map([['x', variable]]), { weightDecay: 0, roundsMoments: true });
  expect(tf.memory().numBytes - before).toBe(2 * (2560 + 40));
  optimizer.dispose();
  expect(tf.memory().numBytes).toBe(before);
  variable.dispose();
});
