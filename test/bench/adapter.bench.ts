/** What a step of decoding costs with an adapter on top, against one that is merged into a second copy. */
import { Rng } from '../../src/common/rng.js';
import { addAdapter } from '../../src/models/adapter.js';
import { adapterState, attachAdapter, bytesToAttach, detachAdapter } from '../../src/models/attach.js';
import type { Decoder } from '../../src/models/decoder.js';
import { KvCache } from '../../src/models/kv-cache.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { torchIsPresent } from '../../src/tensors/torch/locate.js';
import { qwenConfig, qwenDecoder } from './qwen.js';
import { row } from './report.js';

/** Fewer layers and tokens than the model has: the ratio is that of a layer. */
const config = { ...qwenConfig, numHiddenLayers: 8, vocabSize: 8192 };
const [STEPS, ROUNDS, POSITION] = [12, 3, 300];

/** Milliseconds of a step for `slots` sequences: the middle of some. */
function decodeMs(decoder: Decoder, slots: number): number {
  const cache = new KvCache(config, { slots, maxLength: POSITION + 8 });
  const slotIds = Int32Array.from({ length: slots }, (_, slot) => slot);
  const step = (): number => {
    const start = performance.now();
    const positions = new Int32Array(slots).fill(POSITION);
    tf.tidy(() => decoder.forwardCached(new Int32Array(slots).fill(7), slotIds, positions, cache).dataSync());
    return performance.now() - start;
  };
  step();
  const times = Array.from({ length: STEPS }, step);
  cache.dispose();
  return times.sort((a, b) => a - b)[STEPS >> 1] as number;
}

export async function run(): Promise<void> {
  for (const backend of ['wasm', ...(torchIsPresent() ? ['torch'] : [])]) {
    await initBackend(backend);
    for (const targetModules of [['q_proj', 'k_proj', 'v_proj', 'o_proj'], ['all-linear']]) {
      const decoder = qwenDecoder(undefined, { config });
      const lora = {
        rank: 16,
        alpha: 32,
        dropout: 0,
        useRslora: false,
        useDora: false,
        init: 'default' as const,
      };
      await addAdapter(decoder, { ...lora, targetModules }, Rng.of(0, 'lora'));
      const adapter = await adapterState(decoder);
      detachAdapter(decoder);
      const megabytes = bytesToAttach(decoder, adapter, { merge: 'copy' }) / 2 ** 20;
      console.log(
        `${backend}, Qwen2-0.5B's layers, rank 16 on ${targetModules}, a copy takes ${megabytes.toFixed(0)} MB`,
      );
      for (const slots of [1, 8]) {
        const best = { copy: Number.POSITIVE_INFINITY, never: Number.POSITIVE_INFINITY };
        for (let round = 0; round < ROUNDS; round++) {
          for (const merge of ['copy', 'never'] as const) {
            await attachAdapter(decoder, adapter, { merge });
            best[merge] = Math.min(best[merge], decodeMs(decoder, slots));
            detachAdapter(decoder);
          }
        }
        const figures = `${best.copy.toFixed(2)} and ${best.never.toFixed(2)} ms`;
        row(`${slots} sequence(s), merged and not`, figures, `${(best.never / best.copy).toFixed(2)} ×`);
      }
      decoder.dispose();
    }
  }
}
