import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { type Decoder, KvCache, loadDecoder, packSequences } from '../../src/models/index.js';
import { dependsOnLength } from '../../src/models/rotary-table.js';
import { variableGrads } from '../../src/tensors/gradients.js';
import { adamW, embedding } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { backends } from '../parity/backends.js';
import {
  families,
  fixture,
  largestOf,
  lossAndGradients,
  meta,
  packed,
  relativeError,
  useBackend,
} from '../parity/fixtures.js';

/** Hidden states of the fixtures' sequences through a cache, in the given pieces of each sequence. */
function cachedHidden(decoder: Decoder, pieces: number[]): tf.Tensor2D {
  const cache = new KvCache(decoder.config, { slots: 4, maxLength: 16 });
  const rows: tf.Tensor2D[] = [];
  meta.sequences.forEach((sequence, i) => {
    // a slot that is not the sequence's number, and pieces that do not divide its length
    const slot = (i + 2) % 4;
    for (let start = 0, p = 0; start < sequence.length; p++) {
      const part = sequence.slice(start, start + pieces[p % pieces.length]!);
      const positions = Int32Array.from(part, (_, k) => start + k);
      const slots = new Int32Array(part.length).fill(slot);
      rows.push(decoder.forwardCached(Int32Array.from(part), slots, positions, cache));
      start += part.length;
    }
  });
  const result = tf.concat(rows, 0);
  tf.dispose(rows);
  cache.dispose();
  return result;
}

/**
 * Hidden states of the fixtures' sequences without a cache, each token as the last one of its sequence: where rotary
 * frequencies depend on the length, that is a pass for every token.
 */
function uncachedHidden(decoder: Decoder): tf.Tensor2D {
  if (!dependsOnLength(decoder.config)) return decoder.forward(packed);
  return tf.tidy(() => {
    const prefixes = meta.sequences.flatMap((all) => all.map((_, i) => all.slice(0, i + 1)));
    const last = (prefix: number[]) =>
      tf.slice(decoder.forward(packSequences([prefix])), [prefix.length - 1, 0], [1, -1]) as tf.Tensor2D;
    return tf.concat(prefixes.map(last), 0);
  });
}

describe.each(backends)('on backend %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it.each(families)('%s: packed samples equal samples on their own', async (family) => {
    const decoder = await loadDecoder(fixture(family));
    const together = decoder.forward(packed);
    const apart = tf.concat(meta.sequences.map((sequence) => decoder.forward(packSequences([sequence]))));
    expect(relativeError(together, apart.dataSync())).toBeLessThan(1e-5);
    tf.dispose([together, apart]);
    decoder.dispose();
  });

  it.each(families)(
    '%s: the hidden states of some tokens, and their gradients, are those of a pass over all',
    async (family) => {
      const rows = tf.tensor1d([7, 0, 3, 3], 'int32');
      const pass = async (select: (decoder: Decoder) => tf.Tensor2D, gradientCheckpointing: boolean) => {
        const decoder = await loadDecoder(fixture(family), { trainable: 'all' });
        decoder.gradientCheckpointing = gradientCheckpointing;
        const variables = [...decoder.trainableVariables().values()];
        let hidden: number[] = [];
        const { grads, value } = variableGrads(() => {
          const states = select(decoder);
          hidden = Array.from(states.dataSync());
          return tf.sum(tf.square(states)) as tf.Scalar;
        }, variables);
        // a head that is not tied is not used here
        const gradients = variables.map(({ name }) => Array.from(grads[name]?.dataSync() ?? []));
        tf.dispose([value, grads]);
        decoder.dispose();
        return { hidden, gradients };
      };
      const whole = await pass(
        (decoder) => embedding(decoder.forward(packed, { training: true }), rows),
        false,
      );
      for (const checkpointing of [false, true]) {
        const some = await pass(
          (decoder) => decoder.forward(packed, { training: true, rows }),
          checkpointing,
        );
        expect(some.hidden).toHaveLength(whole.hidden.length);
        expect(relativeError(tf.tensor1d(some.hidden), whole.hidden)).toBeLessThan(1e-5);
        const least = 1e-4 * Math.max(...whole.gradients.map(largestOf));
        for (const [i, gradient] of some.gradients.entries()) {
          expect(relativeError(tf.tensor1d(gradient), whole.gradients[i]!, least)).toBeLessThan(1e-4);
        }
      }
      rows.dispose();
    },
  );

  it.each(
    families.flatMap((family): [string, string, number[]][] => [
      [family, 'dora', [1]],
      [family, 'lora', [4, 1]],
      [family, 'rslora', [16]],
      [family, 'dora', [3, 1, 1]],
    ]),
  )(
    '%s with %s: the cache gives what a forward pass gives, in pieces of %s',
    async (family, kind, pieces) => {
      const decoder = await loadDecoder(fixture(family), { adapterPath: fixture(family, kind) });
      const whole = uncachedHidden(decoder);
      const stepwise = cachedHidden(decoder, pieces);
      expect(relativeError(stepwise, whole.dataSync())).toBeLessThan(1e-5);
      tf.dispose([whole, stepwise]);
      decoder.dispose();
    },
  );

  it('tokens of several slots in one call, and a copied slot, see their own past only', async () => {
    const decoder = await loadDecoder(fixture('llama'));
    const [first, second] = meta.sequences as [number[], number[]];
    const cache = new KvCache(decoder.config, { slots: 3, maxLength: 12 });
    const both = [...first.slice(0, 4), ...second.slice(0, 4)];
    decoder
      .forwardCached(
        Int32Array.from(both),
        Int32Array.from(both, (_, i) => (i < 4 ? 0 : 1)),
        Int32Array.from(both, (_, i) => i % 4),
        cache,
      )
      .dispose();
    cache.copySlot(1, 2, 4);
    const next = decoder.forwardCached(
      Int32Array.of(first[4]!, second[4]!, second[4]!),
      Int32Array.of(0, 1, 2),
      Int32Array.of(4, 4, 4),
      cache,
    );
    const expected = tf.concat([
      tf.slice(decoder.forward(packSequences([first])), [4, 0], [1, -1]),
      tf.slice(decoder.forward(packSequences([second])), [4, 0], [1, -1]),
      tf.slice(decoder.forward(packSequences([second])), [4, 0], [1, -1]),
    ]);
    expect(relativeError(next, expected.dataSync())).toBeLessThan(1e-5);
    const tooFar = () => decoder.forwardCached(Int32Array.of(1), Int32Array.of(0), Int32Array.of(12), cache);
    expect(tooFar).toThrow(RangeError);
    cache.dispose();
    decoder.dispose();
  });

  it.each(['phi3', 'llama-dynamic'])(
    '%s: a slot that is cropped, copied or asked in part has the frequencies of its own length',
    async (family) => {
      const decoder = await loadDecoder(fixture(family));
      const [long, other] = meta.sequences as [number[], number[]];
      const cache = new KvCache(decoder.config, { slots: 3, maxLength: 12 });
      const feed = (slot: number, tokens: number[], start: number, asked?: number[]) =>
        decoder.forwardCached(
          Int32Array.from(tokens),
          new Int32Array(tokens.length).fill(slot),
          Int32Array.from(tokens, (_, i) => start + i),
          cache,
          asked,
        );
      const expectLast = (hidden: tf.Tensor2D, sequence: number[]) => {
        const last = (x: tf.Tensor2D) => tf.slice(x, [x.shape[0] - 1, 0], [1, -1]);
        const expected = last(decoder.forward(packSequences([sequence])));
        expect(relativeError(last(hidden), expected.dataSync())).toBeLessThan(1e-5);
      };
      // a whole sequence at once, of which only the last state is asked for: one length, one pass
      const whole = feed(0, long, 0, [long.length - 1]);
      expect(relativeError(whole, decoder.forward(packSequences([long])).dataSync())).toBeLessThan(1e-5);
      // its first part is that of a long sequence and becomes one of a short one, and long again
      expectLast(feed(0, [7], 5), [...long.slice(0, 5), 7]);
      expectLast(feed(0, [8, 9, 10, 11], 6, [3]), [...long.slice(0, 5), 7, 8, 9, 10, 11]);
      // a copy of the first three tokens of a long one, beside a slot of its own
      feed(1, other.slice(0, 4), 0);
      cache.copySlot(0, 2, 3);
      cache.copySlot(1, 0, 4, 2);
      expectLast(feed(2, [12, 13], 3), [...long.slice(0, 3), 12, 13]);
      expectLast(feed(0, [14], 4), [...other.slice(0, 4), 14]);
      // slots of different lengths in one call, in any order; one of them crosses the length
      const mixed = decoder.forwardCached(
        Int32Array.of(15, 16, 17, 18, 19, 20, 21),
        Int32Array.of(2, 0, 2, 2, 2, 1, 2),
        Int32Array.of(5, 5, 6, 7, 8, 4, 9),
        cache,
      );
      const second = [...long.slice(0, 3), 12, 13, 15, 17, 18, 19, 21];
      const sequences = [
        ...[6, 7, 8, 9].map((length) => second.slice(0, length)),
        [...other.slice(0, 4), 14, 16],
        [...other.slice(0, 4), 20],
        second,
      ];
      for (const [i, row] of [0, 2, 3, 4, 1, 5, 6].entries()) {
        expectLast(tf.slice(mixed, [row, 0], [1, -1]), sequences[i]!);
      }
      cache.dispose();
      decoder.dispose();
    },
  );

  it('label log-probabilities are those of the logits', async () => {
    const decoder = await loadDecoder(fixture('qwen2'));
    const labels = Int32Array.from(packed.tokens, (token) => (token * 7) % 96);
    const [direct, viaLogits] = tf.tidy(() => {
      const hidden = decoder.forward(packed);
      const table = tf.logSoftmax(decoder.logits(hidden));
      const picked = tf.sum(tf.mul(table, tf.oneHot(tf.tensor1d(labels, 'int32'), 96)), 1);
      return [decoder.labelLogProbs(hidden, labels), picked] as const;
    });
    expect(relativeError(direct, viaLogits.dataSync())).toBeLessThan(1e-5);
    decoder.dispose();
  });

  it('200 training steps leave memory as it was', { timeout: 120_000 }, async () => {
    const before = tf.memory();
    const decoder = await loadDecoder(fixture('qwen2'), {
      lora: { rank: 2, alpha: 2, dropout: 0.1, useRslora: false, useDora: true, init: 'default' },
      rng: Rng.of(1),
    });
    const variables = [...decoder.trainableVariables().values()];
    const zeros = () => variables.map((v) => tf.tidy(() => tf.variable(tf.zerosLike(v), false)));
    const [first, second] = [zeros(), zeros()];
    const rng = Rng.of(2);
    const batch = packSequences([
      [5, 17, 3],
      [88, 41],
    ]);
    const train = (step: number) => {
      const { grads, value } = variableGrads(() => {
        const hidden = decoder.forward(batch, { training: true, rng });
        return tf.neg(tf.mean(decoder.labelLogProbs(hidden, batch.tokens))) as tf.Scalar;
      }, variables);
      const list = variables.map((v) => grads[v.name]!);
      adamW(variables, list, first, second, { ...meta.adamw, step });
      const loss = value.dataSync()[0]!;
      tf.dispose([value, ...list]);
      return loss;
    };
    const start = train(1);
    const after1 = tf.memory();
    let end = start;
    for (let step = 2; step <= 200; step++) end = train(step);
    const after200 = tf.memory();
    expect(after200.numTensors).toBe(after1.numTensors);
    expect(after200.numBytes).toBe(after1.numBytes);
    expect(end).toBeLessThan(start - 0.5);
    tf.dispose([...first, ...second]);
    decoder.dispose();
    expect(tf.memory().numTensors).toBe(before.numTensors);
  });

  it('the gradient of a tied table is the sum of its two uses', async () => {
    const decoder = await loadDecoder(fixture('qwen2'), { trainable: 'all' });
    const { loss, gradients } = await lossAndGradients(decoder);
    const name = 'model.embed_tokens.weight';
    const gradient = gradients.get(name)!.dataSync();
    const variable = decoder.trainableVariables().get(name)!;
    const values = variable.dataSync().slice();
    // token 41 is both read and predicted
    const index = 41 * decoder.config.hiddenSize + 3;
    const lossAt = async (change: number) => {
      const moved = values.slice();
      moved[index]! += change;
      const tensor = tf.tensor(moved, variable.shape);
      variable.assign(tensor);
      tensor.dispose();
      const result = await lossAndGradients(decoder);
      tf.dispose([...result.gradients.values()]);
      return result.loss;
    };
    const numeric = ((await lossAt(0.02)) - (await lossAt(-0.02))) / 0.04;
    expect(Math.abs(numeric - gradient[index]!)).toBeLessThan(2e-3 * Math.max(1, Math.abs(numeric)));
    expect(loss).toBeGreaterThan(0);
    tf.dispose([...gradients.values()]);
    decoder.dispose();
  });
});

it('dropout is the same for the same rng, and absent outside of training', async () => {
  await useBackend('cpu');
  const decoder = await loadDecoder(fixture('qwen2'), { adapterPath: fixture('qwen2', 'dora') });
  for (const { adapter } of decoder.projections()) if (adapter) adapter.dropout = 0.5;
  const run = (training: boolean, seed: number) =>
    tf.tidy(() => decoder.forward(packed, { training, rng: Rng.of(seed) }).dataSync());
  expect(run(true, 1)).toEqual(run(true, 1));
  expect(run(true, 1)).not.toEqual(run(true, 2));
  expect(run(false, 1)).toEqual(run(false, 2));
  decoder.dispose();
});
