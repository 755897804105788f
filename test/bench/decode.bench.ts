/** What a token costs early and late in a sequence: the KV cache makes it nearly the same. */
import { KvCache } from '../../src/models/kv-cache.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { benchConfig, randomDecoder } from './decoder.js';
import { row } from './report.js';

const POSITIONS = [50, 1000];
const REPEATS = 200;
/** Two query heads share a key-value head, as in every model that is decoded in earnest. */
const config = { ...benchConfig, numKeyValueHeads: 2 };

/** ms to decode one token in each of `slots` sequences at each of the positions: the middle of many, in turns. */
function decodeMs(slots: number): number[] {
  const decoder = randomDecoder(config);
  const cache = new KvCache(config, { slots, maxLength: 1100 });
  const tokens = new Int32Array(slots).fill(7);
  const slotIds = Int32Array.from({ length: slots }, (_, slot) => slot);
  const step = (position: number): number => {
    const start = performance.now();
    const positions = new Int32Array(slots).fill(position);
    tf.tidy(() =>
      tf.argMax(decoder.logits(decoder.forwardCached(tokens, slotIds, positions, cache)), -1).dataSync(),
    );
    return performance.now() - start;
  };
  for (let i = 0; i < REPEATS; i++) step(500);
  const times = POSITIONS.map((): number[] => []);
  for (let i = 0; i < REPEATS; i++) {
    for (const [which, position] of POSITIONS.entries()) times[which]!.push(step(position));
  }
  cache.dispose();
  decoder.dispose();
  return times.map((all) => all.sort((a, b) => a - b)[all.length >> 1] as number);
}

export async function run(): Promise<void> {
  await initBackend('wasm');
  const { hiddenSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads } = config;
  const heads = `${numAttentionHeads} heads over ${numKeyValueHeads}`;
  console.log(`decoding with the KV cache: d ${hiddenSize}, ${numHiddenLayers} layers, ${heads}`);
  for (const slots of [1, 8]) {
    const times = decodeMs(slots);
    for (const [which, ms] of times.entries()) {
      const name = `${slots} sequence(s), position ${POSITIONS[which]}`;
      row(name, `${ms.toFixed(2)} ms`, `${((1000 * slots) / ms).toFixed(0)} tokens/s`);
    }
    row('ratio', `${((times[1] as number) / (times[0] as number)).toFixed(2)} ×`);
  }
}
