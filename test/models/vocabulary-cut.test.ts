/** A decoder with a cut vocabulary is the same decoder for the tokens that it kept. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import {
  loadDecoder,
  packSequences,
  readSafetensors,
  saveAdapter,
  saveModel,
  VocabularyCut,
  VocabularyCutError,
} from '../../src/models/index.js';
import * as tf from '../../src/tensors/tf.js';
import { fixture, useBackend } from '../parity/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'arclab-cut-'));
beforeAll(() => useBackend('wasm'));
afterAll(() => rmSync(scratch, { recursive: true }));

const sequences = [
  [3, 5, 8, 3],
  [60, 21, 5],
];
const kept = Int32Array.of(0, 3, 5, 8, 20, 21, 60);
const packed = packSequences(sequences);

// qwen2's head is its embedding table, llama's is a table of its own
describe.each(['qwen2', 'llama'])('cut vocabulary of %s', (family) => {
  const folder = fixture(family);

  it('gives the logits of the kept tokens, and probabilities over them', async () => {
    const whole = await loadDecoder(folder);
    const cut = await loadDecoder(folder, { vocabulary: kept });
    expect(cut.embedTokens.weight.shape).toEqual([kept.length, whole.config.hiddenSize]);
    expect(cut.isHeadTied).toBe(whole.config.tieWordEmbeddings);
    const all = tf.tidy(() => whole.logits(whole.forward(packed)));
    const some = tf.tidy(() => cut.logits(cut.forward(packed)));
    const expected = tf.tidy(() => tf.gather(all, tf.tensor1d(kept, 'int32'), 1));
    expect(await some.data()).toEqual(await expected.data());

    const labels = Int32Array.of(5, 8, 3, 60, 21, 5, 0);
    const logProbs = tf.tidy(() => cut.labelLogProbs(cut.forward(packed), labels));
    const rows = Array.from(labels, (id) => kept.indexOf(id));
    const reference = tf.tidy(() => tf.logSoftmax(expected));
    const values = (await reference.array()) as number[][];
    for (const [i, value] of (await logProbs.data()).entries()) {
      expect(value).toBeCloseTo(values[i]![rows[i]!]!, 5);
    }
    tf.dispose([all, some, expected, logProbs, reference]);
    whole.dispose();
    cut.dispose();
  });

  it('refuses tokens that were cut off, in prompts and labels, by one clear line', async () => {
    const cut = await loadDecoder(folder, { vocabulary: kept });
    for (const id of [4, 61, 1_000_000, -1]) {
      const other = packSequences([[3, id]]);
      expect(() => tf.tidy(() => cut.forward(other))).toThrow(VocabularyCutError);
      expect(() => tf.tidy(() => cut.forward(other))).toThrow(
        new RegExp(`^\`pruneVocab\`: token ${id} is not among .* grid encoder and the prompt kinds .*$`),
      );
      const labels = Int32Array.of(3, id);
      expect(() => tf.tidy(() => cut.labelLogProbs(cut.forward(packSequences([[3, 5]])), labels))).toThrow(
        VocabularyCutError,
      );
    }
    cut.dispose();
  });

  it('is saved whole: rows that changed in their places, all others bit for bit', async () => {
    const decoder = await loadDecoder(folder, { vocabulary: kept, trainable: 'all' });
    for (const variable of decoder.trainableVariables().values()) {
      tf.tidy(() => variable.assign(tf.add(variable, 0.25)));
    }
    const target = join(scratch, `${family}-all`);
    await saveModel(decoder, target);
    decoder.dispose();
    const before = readSafetensors(join(folder, 'model.safetensors'));
    const after = readSafetensors(join(target, 'model.safetensors'));
    for (const name of ['model.embed_tokens.weight', 'lm_head.weight']) {
      const [old, saved] = [before.get(name), after.get(name)];
      // fixtures may carry a head that is tied; it is not written again
      if (family === 'qwen2' && name === 'lm_head.weight') continue;
      expect(saved!.shape).toEqual(old!.shape);
      const [vocabSize, width] = old!.shape as [number, number];
      for (let id = 0; id < vocabSize; id++) {
        const [was, is] = [old!, saved!].map(({ values }) => values.subarray(id * width, (id + 1) * width));
        const expected = kept.includes(id) ? was!.map((value) => Math.fround(value + 0.25)) : was;
        expect(is).toEqual(expected);
      }
    }
    const again = await loadDecoder(target);
    expect(again.embedTokens.weight.shape[0]).toBe(again.config.vocabSize);
    again.dispose();
  });

  it('shares adapters with the whole one', async () => {
    const lora = { rank: 2, alpha: 4, dropout: 0, useRslora: false, useDora: true, init: 'default' as const };
    const cut = await loadDecoder(folder, { vocabulary: kept, lora, rng: Rng.of(1, 'lora') });
    for (const [name, variable] of cut.trainableVariables()) {
      const rng = Rng.of(2, name);
      tf.tidy(() =>
        variable.assign(
          tf.tensor(
            variable.dataSync().map((v) => v + rng.normal(0, 0.05)),
            variable.shape,
          ),
        ),
      );
    }
    const adapterPath = join(scratch, `${family}-adapter`);
    await saveAdapter(cut, adapterPath);
    const whole = await loadDecoder(folder, { adapterPath });
    const [a, b] = [cut, whole].map((decoder) => tf.tidy(() => decoder.forward(packed)));
    expect(await a!.data()).toEqual(await b!.data());

    // folded in, the model is the whole one with the adapter folded in
    const [one, two] = ['cut', 'whole'].map((name) => join(scratch, `${family}-merged-${name}`));
    await saveModel(cut, one!);
    await saveModel(whole, two!);
    const expected = readSafetensors(join(two!, 'model.safetensors'));
    for (const [name, tensor] of readSafetensors(join(one!, 'model.safetensors'))) {
      expect(tensor).toEqual(expected.get(name));
    }
    tf.dispose([a!, b!]);
    cut.dispose();
    whole.dispose();
  });
});

it('keeps ids in ascending order, within the vocabulary', () => {
  expect(() => new VocabularyCut(Int32Array.of(1, 1), 8)).toThrow(RangeError);
  expect(() => new VocabularyCut(Int32Array.of(1, 8), 8)).toThrow(RangeError);
});
