/** What weights in int8 cost: a step of training an adapter and a step of decoding, against the same in whole weights. */
import type { Decoder } from '../../src/models/decoder.js';
import { KvCache } from '../../src/models/kv-cache.js';
import { packSequences } from '../../src/models/packed-tokens.js';
import { initBackend } from '../../src/tensors/backend.js';
import type { FloatType } from '../../src/tensors/float-type.js';
import { variableGrads } from '../../src/tensors/gradients.js';
import * as tf from '../../src/tensors/tf.js';
import { askSide } from './processes.js';
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

interface Comparison {
  readonly megabytes: readonly [whole: string, int8: string];
  readonly figures: readonly { what: string; unit: string; whole: number; int8: number }[];
}

/** Both in one type, in a process of its own. */
export async function measure(what: string): Promise<Comparison> {
  const floatType = what as FloatType;
  await initBackend('torch');
  const plain = await adaptedQwen({ config, floatType });
  const rounded = await adaptedQwen({ config, floatType, rounded: true });
  const size = ({ bytes }: Decoder) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
  const compare = (what: string, unit: string, f: (decoder: Decoder) => number) => {
    const [whole, int8] = [f(plain), f(rounded)];
    return { what, unit, whole, int8 };
  };
  return {
    megabytes: [size(plain), size(rounded)],
    figures: [
      compare(`LoRA pass over ${TOKENS} tokens, whole and int8`, 's', passSeconds),
      ...[1, 8, 64].map((slots) =>
        compare(`a step of ${slots} sequence(s), whole and int8`, 'ms', (decoder) =>
          decodeMs(decoder, slots),
        ),
      ),
    ],
  };
}

export async function run(): Promise<void> {
  for (const floatType of ['float32', 'bfloat16'] as const) {
    const { megabytes, figures } = askSide<Comparison>('int8', floatType);
    console.log(`Qwen2-0.5B's shape, 4 of 24 layers, ${floatType}: ${megabytes.join(' and ')} of weights`);
    for (const { what, unit, whole, int8 } of figures) {
      row(
        what,
        `${whole.toPrecision(3)} and ${int8.toPrecision(3)} ${unit}`,
        `${(int8 / whole).toFixed(2)} ×`,
      );
    }
  }
}
