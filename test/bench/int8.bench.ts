/** What weights in int8 cost: a step of training an adapter and a step of decoding, against the same in whole weights. */
import type { Decoder } from '../../src/models/decoder.js';
import { KvCache } from '../../src/models/kv-cache.js';
import { packSequences } from '../../src/models/packed-tokens.js';
import { initBackend } from '../../src/tensors/backend.js';
import { variableGrads } from '../../src/tensors/gradients.js';
import * as tf from '../../src/tensors/tf.js';
import { adaptedQwen, qwenConfig } from './qwen.js';
import { row } from './report.js';

/** Fewer layers and tokens of the vocabulary than the model has: the ratio is that of a layer. */
const config = { ...qwenConfig, numHiddenLayers: 4, vocabSize: 8192 };
const [TOKENS, LABELS, ROUNDS, STEPS, POSITION] = [1000, 100, 5, 12, 300];

/** Seconds of a forward and backward pass: the best of some. */
function passSeconds(decoder: Decoder): number {
  const batch = packSequences([Array.from({ length: TOKENS }, (_, i) => i % 8000)]);
  const rows = Int32Array.from({ length: LABELS }, (_, i) => TOKENS - LABELS - 1 + i);
  const variables = [...decoder.trainableVariables().values()];
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const { value, grads } = variableGrads(
      () =>
        tf.tidy(() => {
          const hidden = decoder.forward(batch, { rows: tf.tensor1d(rows, 'int32') });
          return tf.neg(tf.mean(decoder.labelLogProbs(hidden, rows))) as tf.Scalar;
        }),
      variables,
    );
    value.dataSync();
    tf.dispose([value, ...Object.values(grads)]);
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

/** Milliseconds of a step of decoding for some sequences: the best of some. */
function decodeMs(decoder: Decoder, slots: number): number {
  const cache = new KvCache(config, { slots, maxLength: POSITION + 8, floatType: decoder.floatType });
  const ids = Int32Array.from({ length: slots }, (_, slot) => slot);
  let best = Number.POSITIVE_INFINITY;
  for (let step = 0; step < STEPS; step++) {
    const start = performance.now();
    const positions = new Int32Array(slots).fill(POSITION);
    tf.tidy(() => decoder.forwardCached(new Int32Array(slots).fill(7), ids, positions, cache).dataSync());
    best = Math.min(best, performance.now() - start);
  }
  cache.dispose();
  return best;
}

export async function run(): Promise<void> {
  await initBackend('torch');
  for (const floatType of ['float32', 'bfloat16'] as const) {
    const plain = await adaptedQwen({ config, floatType });
    const rounded = await adaptedQwen({ config, floatType, rounded: true });
    const megabytes = [plain, rounded].map(({ bytes }) => `${(bytes / 2 ** 20).toFixed(0)} MB`);
    console.log(`Qwen2-0.5B's shape, 4 of 24 layers, ${floatType}: ${megabytes.join(' and ')} of weights`);
    const compare = (what: string, unit: string, measure: (decoder: Decoder) => number) => {
      const [before, after] = [plain, rounded].map(measure) as [number, number];
      const figures = `${before.toPrecision(3)} and ${after.toPrecision(3)} ${unit}`;
      row(what, figures, `${(after / before).toFixed(2)} ×`);
    };
    compare(`LoRA pass over ${TOKENS} tokens, whole and int8`, 's', passSeconds);
    for (const slots of [1, 8, 64]) {
      compare(`a step of ${slots} sequence(s), whole and int8`, 'ms', (decoder) => decodeMs(decoder, slots));
    }
    plain.dispose();
    rounded.dispose();
  }
}
