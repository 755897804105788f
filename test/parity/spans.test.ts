/** A loss on several answers of a prompt equals that of transformers for labels that are -100 elsewhere. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { loadDecoder } from '../../src/models/load.js';
import { readSafetensors } from '../../src/models/safetensors.js';
import * as tf from '../../src/tensors/tf.js';
import { microBatchGradients } from '../../src/training/loss.js';
import { labelCount } from '../../src/training/packing.js';
import type { TrainingSample } from '../../src/training/sample.js';
import { awaitedBackends } from './backends.js';
import { errorOf, fixture, meta, useBackend } from './fixtures.js';

const tolerance = 1e-4;
const spans = JSON.parse(readFileSync(fixture('spans.json'), 'utf8')) as [number, number][][];
const samples = meta.sequences.map(
  (tokens, index): TrainingSample => ({
    index,
    tokens: Int32Array.from(tokens),
    labelSpans: spans[index]!,
    kind: 'kind',
    dataset: 'data',
    weight: 1,
  }),
);

describe.each(awaitedBackends)('on backend %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it.each([
    ['qwen2', 'all weights'],
    ['qwen2', 'lora'],
    ['llama', 'all weights'],
    ['llama', 'lora'],
  ])('%s, %s: loss and gradients', async (family, kind) => {
    const isAdapter = kind === 'lora';
    const expected = readSafetensors(fixture(family, ...(isAdapter ? [kind] : []), 'spans.safetensors'));
    const decoder = await loadDecoder(
      fixture(family),
      isAdapter ? { adapterPath: fixture(family, kind), trainable: 'adapter' } : { trainable: 'all' },
    );
    const divisor = samples.reduce((sum, sample) => sum + labelCount(sample), 0);
    // one packed row, and micro-batches that are added up
    for (const batches of [[samples], [samples.slice(0, 1), samples.slice(1)]]) {
      const parts = batches.map((batch) => microBatchGradients(decoder, batch, { divisor, rng: Rng.of(1) }));
      const read = await Promise.all(parts.map((part) => part.logProbs.data()));
      const logProbs = read.flatMap((values) => Array.from(values));
      expect(logProbs).toHaveLength(divisor);
      const loss = -logProbs.reduce((sum, value) => sum + value, 0) / divisor;
      expect(Math.abs(loss - expected.get('loss')!.values[0]!)).toBeLessThan(tolerance);
      const variables = decoder.trainableVariables();
      const names = [...expected.keys()].filter((name) => name.startsWith('gradient.'));
      expect([...variables.keys()].map((name) => `gradient.${name}`).sort()).toEqual(names.sort());
      for (const [name, { name: key }] of variables) {
        const sum = tf.addN(parts.map(({ gradients }) => gradients[key]!));
        const error = await errorOf(sum, expected.get(`gradient.${name}`)!);
        expect(error, `gradient of ${name}`).toBeLessThan(tolerance);
        sum.dispose();
      }
      for (const { gradients, logProbs } of parts) tf.dispose([gradients, logProbs]);
    }
    decoder.dispose();
  });
});
