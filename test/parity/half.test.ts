/**
 * In half precision: our difference from what transformers computes in float32 is no larger than that of transformers
 * in the same type, times a small factor, because both round, and not at the same places.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { KvCache } from '../../src/models/kv-cache.js';
import { loadDecoder } from '../../src/models/load.js';
import { type HostTensor, readSafetensors } from '../../src/models/safetensors.js';
import { floatTypeOf } from '../../src/tensors/float-type.js';
import type { FloatType } from '../../src/tensors/precision.js';
import * as tf from '../../src/tensors/tf.js';
import { backends } from './backends.js';
import {
  answerLogProbs,
  asInFiles,
  expectedOf,
  families,
  fixture,
  lossAndGradients,
  meta,
  packed,
  useBackend,
} from './fixtures.js';

/** The root mean square of the differences. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Math.sqrt(Array.from(a, (value, i) => (value - b[i]!) ** 2).reduce((x, y) => x + y, 0) / a.length);
}

/** How much larger than the reference's our error may be, over a tensor, and over all gradients together. */
const FACTOR = { tensor: 2, gradients: 1.5 };

describe.runIf(backends.includes('torch'))('torch', () => {
  beforeAll(() => useBackend('torch'));

  describe.each<FloatType>(['bfloat16', 'float16'])('%s', (floatType) => {
    test.each([
      ...families.flatMap((family) =>
        ['full', 'lora', 'rslora', 'dora'].map((kind) => [family, kind] as const),
      ),
      ...['qwen2', 'llama'].flatMap((family) =>
        ['tables-lora', 'tables-dora'].map((kind) => [family, kind] as const),
      ),
    ])(
      '%s %s: logits, losses and gradients are as near to float32 as those of transformers',
      async (family, kind) => {
        const path = kind === 'full' ? [family] : [family, kind];
        const truth = expectedOf(...path);
        const theirs = readSafetensors(fixture(...path, `expected-${floatType}.safetensors`));
        const adapter =
          kind === 'full'
            ? { trainable: 'all' as const }
            : { adapterPath: fixture(...path), trainable: 'adapter' as const };
        const decoder = await loadDecoder(fixture(family), { ...adapter, floatType });
        const errors = (name: string, values: ArrayLike<number>): [ours: number, theirs: number] => [
          distance(values, truth.get(name)!.values),
          distance((theirs.get(name) as HostTensor).values, truth.get(name)!.values),
        ];
        const compare = (name: string, values: ArrayLike<number>): void => {
          const [own, reference] = errors(name, values);
          expect(own, `${name}: their error is ${reference}`).toBeLessThan(FACTOR.tensor * reference);
        };

        const hidden = decoder.forward(packed);
        expect(floatTypeOf(hidden)).toBe(floatType);
        const logits = decoder.logits(hidden);
        compare('logits', logits.dataSync());
        const logProbs = answerLogProbs(decoder);
        expect(floatTypeOf(logProbs)).toBe('float32');
        compare('label_log_probs', logProbs.dataSync());

        const { gradients } = await lossAndGradients(decoder, floatType === 'float16' ? 1024 : 1);
        const sums = [0, 0];
        for (const [name, gradient] of gradients) {
          expect(floatTypeOf(gradient), name).toBe('float32');
          const pair = errors(
            `gradient.${name}`,
            tf.tidy(() => asInFiles(name, gradient).dataSync()),
          );
          const size = distance(truth.get(`gradient.${name}`)!.values, new Float32Array(gradient.size));
          for (const [side, error] of pair.entries()) sums[side]! += (error / size) ** 2;
        }
        const [own, reference] = sums.map((sum) => Math.sqrt(sum / gradients.size)) as [number, number];
        expect(own, `relative error of the gradients, theirs is ${reference}`).toBeLessThan(
          FACTOR.gradients * reference,
        );
        tf.dispose([hidden, logits, logProbs, ...gradients.values()]);
        decoder.dispose();
      },
    );

    test('a cache is kept in it, and gives what a whole pass gives', async () => {
      const decoder = await loadDecoder(fixture('qwen2'), { floatType });
      const [tokens] = meta.sequences as [number[]];
      const cache = new KvCache(decoder.config, { slots: 2, maxLength: tokens.length, floatType });
      expect(floatTypeOf(cache.keys[0]!)).toBe(floatType);
      const row = (at: number) => tf.tidy(() => Array.from(decoder.logits(feed(at, at + 1)).dataSync()));
      const feed = (from: number, to: number) =>
        decoder.forwardCached(
          Int32Array.from(tokens.slice(from, to)),
          new Int32Array(to - from).fill(1),
          Int32Array.from({ length: to - from }, (_, i) => from + i),
          cache,
        );
      feed(0, 4).dispose();
      const rows = Array.from({ length: tokens.length - 4 }, (_, i) => row(4 + i)).flat();
      const truth = expectedOf('qwen2')
        .get('logits')!
        .values.slice(4 * decoder.config.vocabSize, tokens.length * decoder.config.vocabSize);
      const theirs = readSafetensors(fixture('qwen2', `expected-${floatType}.safetensors`)).get('logits')!;
      const bound = distance(theirs.values.slice(4 * 96, tokens.length * 96), truth);
      expect(distance(rows, truth)).toBeLessThan(FACTOR.tensor * bound);
      cache.dispose();
      decoder.dispose();
    });
  });

  test('a merged adapter stays in the type of the base', async () => {
    const decoder = await loadDecoder(fixture('qwen2'), {
      adapterPath: fixture('qwen2', 'dora'),
      floatType: 'bfloat16',
      merge: true,
    });
    for (const { name, weight } of decoder.projections()) expect(weight.floatType, name).toBe('bfloat16');
    const logits = tf.tidy(() => decoder.logits(decoder.forward(packed)).dataSync());
    const truth = expectedOf('qwen2', 'dora').get('logits')!.values;
    const theirs = readSafetensors(fixture('qwen2', 'dora', 'expected-bfloat16.safetensors')).get('logits')!;
    expect(distance(logits, truth)).toBeLessThan(FACTOR.tensor * distance(theirs.values, truth));
    decoder.dispose();
  });
});

test.each(['bfloat16', 'float16'] as const)('a backend without %s says so in one line', async (floatType) => {
  await useBackend('wasm');
  await expect(loadDecoder(fixture('qwen2'), { floatType })).rejects.toThrow(
    `\`dtype: ${floatType}\`: the backend wasm computes in float32 only; choose \`backend: torch\`, or float32`,
  );
});
