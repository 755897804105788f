import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/models/config.js';
import { loadDecoder } from '../../src/models/load.js';
import { RotaryTable } from '../../src/models/rotary-table.js';
import { readSafetensors } from '../../src/models/safetensors.js';
import { adamW } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { awaitedBackends } from './backends.js';
import {
  answerLogProbs,
  errorOf,
  expectedOf,
  families,
  fixture,
  largestOf,
  lossAndGradients,
  meta,
  packed,
  useBackend,
} from './fixtures.js';

const tolerance = 1e-4;

/**
 * What is compared of a family. WebGPU is tested on a driver that computes on the processor, many times slower than
 * the others: there, adapters are compared on one family with separate projections and one with fused ones.
 */
function kindsOn(backend: string, family: string): string[] {
  const hasAll = backend !== 'webgpu' || ['llama', 'phi3'].includes(family);
  return hasAll ? ['full', 'lora', 'rslora', 'dora'] : ['full'];
}

describe.each(awaitedBackends)('on backend %s', (backend) => {
  beforeAll(() => useBackend(backend));

  describe.each(families)('%s equals transformers', (family) => {
    it.each(kindsOn(backend, family))('%s: logits, gradients, AdamW', async (kind) => {
      const path = kind === 'full' ? [family] : [family, kind];
      const expected = expectedOf(...path);
      const decoder = await loadDecoder(
        fixture(family),
        kind === 'full' ? { trainable: 'all' } : { adapterPath: fixture(family, kind), trainable: 'adapter' },
      );
      const hidden = decoder.forward(packed);
      const logits = decoder.logits(hidden);
      expect(await errorOf(logits, expected.get('logits')!)).toBeLessThan(tolerance);
      const logProbs = answerLogProbs(decoder);
      expect(await errorOf(logProbs, expected.get('label_log_probs')!)).toBeLessThan(tolerance);

      const variables = decoder.trainableVariables();
      const names = [...expected.keys()].filter((name) => name.startsWith('gradient.'));
      expect([...variables.keys()].map((name) => `gradient.${name}`).sort()).toEqual(names.sort());

      const list = [...variables.values()];
      const moments = [0, 1].map(() => list.map((v) => tf.variable(tf.zerosLike(v), false)));
      const [first, second] = moments as [tf.Variable[], tf.Variable[]];
      for (let step = 1; step <= 3; step++) {
        const { loss, gradients } = await lossAndGradients(decoder);
        if (step === 1) {
          expect(Math.abs(loss - expected.get('loss')!.values[0]!)).toBeLessThan(tolerance);
          const least = 1e-3 * Math.max(...names.map((name) => largestOf(expected.get(name)!.values)));
          for (const [name, gradient] of gradients) {
            const error = await errorOf(gradient, expected.get(`gradient.${name}`)!, least);
            expect(error, `gradient of ${name}`).toBeLessThan(tolerance);
          }
        }
        adamW(list, [...gradients.values()], first, second, { ...meta.adamw, step });
        tf.dispose([...gradients.values()]);
        if (step > 1) continue;
        for (const [name, variable] of variables) {
          const error = await errorOf(variable, expected.get(`step1.${name}`)!);
          expect(error, `${name} after one step`).toBeLessThan(tolerance);
        }
      }
      const after = await lossAndGradients(decoder);
      expect(after.loss / expected.get('loss_after_3')!.values[0]! - 1).toBeCloseTo(0, 3);
      tf.dispose([hidden, logits, logProbs, moments, [...after.gradients.values()]] as tf.TensorContainer);
      decoder.dispose();
    });
  });

  it.each(['pissa', 'pissa-converted'])('a %s adapter of PEFT gives the same logits', async (kind) => {
    const expected = expectedOf('llama', 'pissa').get('logits')!;
    const decoder = await loadDecoder(fixture('llama'), { adapterPath: fixture('llama', kind) });
    const logits = tf.tidy(() => decoder.logits(decoder.forward(packed)));
    expect(await errorOf(logits, expected)).toBeLessThan(tolerance);
    logits.dispose();
    decoder.dispose();
  });
});

describe('rope scaling', () => {
  const configs = JSON.parse(readFileSync(fixture('rope.json'), 'utf8')) as Record<string, unknown>;
  const expected = readSafetensors(fixture('rope.safetensors'));
  const sequences: Record<string, number[]> = {
    '': [0, 1, 2, 17, 100, 1000],
    '.short': [0, 1, 2, 17, 40, 63],
  };

  it.each(Object.keys(configs))('%s equals transformers, in long and in short sequences', async (name) => {
    const table = new RotaryTable(parseConfig(configs[name], name));
    for (const [length, values] of Object.entries(sequences)) {
      const positions = Int32Array.from(values);
      const lengths = positions.map(() => values.at(-1)! + 1);
      const { cos, sin } = table.rows(tf.tensor1d(positions, 'int32'), positions, lengths);
      expect(await errorOf(cos, expected.get(`${name}${length}.cos`)!)).toBeLessThan(tolerance);
      expect(await errorOf(sin, expected.get(`${name}${length}.sin`)!)).toBeLessThan(tolerance);
    }
  });

  it('has kinds that ask for the length', () => {
    expect(Object.keys(configs)).toEqual(
      expect.arrayContaining(['linear', 'llama3', 'yarn', 'dynamic', 'longrope']),
    );
    expect(expected.get('dynamic.cos')!.values.slice(8, 16)).not.toEqual(
      expected.get('dynamic.short.cos')!.values.slice(8, 16),
    );
  });
});
