/**
 * What a step of decoding costs with an adapter on top, against one that is merged into a second copy: in processor
 * time, which on one thread (OMP_NUM_THREADS=1 ARCLAB_THREADS=1) is also a figure where others use the machine.
 */
import { Rng } from '../../src/common/rng.js';
import { addAdapter } from '../../src/models/adapter.js';
import { adapterState, attachAdapter, bytesToAttach, detachAdapter } from '../../src/models/attach.js';
import type { Decoder } from '../../src/models/decoder.js';
import { KvCache } from '../../src/models/kv-cache.js';
import { initBackend } from '../../src/tensors/backend.js';
import type { FloatType } from '../../src/tensors/precision.js';
import * as tf from '../../src/tensors/tf.js';
import { torchIsPresent } from '../../src/tensors/torch/locate.js';
import { qwenConfig, qwenDecoder } from './qwen.js';
import { row } from './report.js';

/** Fewer layers and tokens than the model has: the ratio is that of a layer. */
const config = { ...qwenConfig, numHiddenLayers: 8, vocabSize: 8192 };
const [STEPS, POSITION] = [40, 300];

/** Backends, and element types that they are asked to compute in. */
const cases: (readonly [backend: string, type: FloatType])[] = [
  ['wasm', 'float32'],
  ...(torchIsPresent() ? (['float32', 'bfloat16'] as const).map((type) => ['torch', type] as const) : []),
];

/** Milliseconds of processor time of this process. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** A step of decoding for so many sequences, in the middle of some: gives its time in ms. */
function stepOf(decoder: Decoder, slots: number): { step: () => number; cache: KvCache } {
  const cache = new KvCache(config, { slots, maxLength: POSITION + 8, floatType: decoder.floatType });
  const slotIds = Int32Array.from({ length: slots }, (_, slot) => slot);
  const step = (): number => {
    const start = processorMs();
    const positions = new Int32Array(slots).fill(POSITION);
    tf.tidy(() => decoder.forwardCached(new Int32Array(slots).fill(7), slotIds, positions, cache).dataSync());
    return processorMs() - start;
  };
  return { step, cache };
}

const middle = (values: number[]): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

/** Both in turns, step by step, so that what else the machine does meets both alike. */
function compare(what: string, merged: Decoder, onTop: Decoder, slots: number): void {
  const both = [merged, onTop].map((decoder) => stepOf(decoder, slots));
  for (let warm = 0; warm < 2; warm++) for (const { step } of both) step();
  const [first, second] = [[], []] as [number[], number[]];
  for (let i = 0; i < STEPS; i++) {
    const [a, b] = both as [(typeof both)[0], (typeof both)[0]];
    if (i % 2 === 0) first.push(a.step());
    second.push(b.step());
    if (i % 2 === 1) first.push(a.step());
  }
  for (const { cache } of both) cache.dispose();
  const pairs = first.map((time, i) => (second[i] as number) / time);
  const least = Math.min(...second) / Math.min(...first);
  const figures = `${middle([...first]).toFixed(2)} and ${middle([...second]).toFixed(2)} ms`;
  row(what, figures, `${middle(pairs).toFixed(2)} ×`, `least ${least.toFixed(2)} ×`);
}

export async function run(): Promise<void> {
  const wanted = process.env.ARCLAB_CASE;
  for (const [backend, floatType] of cases) {
    if (wanted && !`${backend} ${floatType}`.includes(wanted)) continue;
    await initBackend(backend);
    const [merged, onTop] = [0, 1].map(() => qwenDecoder(undefined, { config, floatType })) as [
      Decoder,
      Decoder,
    ];
    const attention = ['q_proj', 'k_proj', 'v_proj', 'o_proj'];
    for (const [targetModules, rank, useDora] of [
      [attention, 16, false],
      [['all-linear'], 16, false],
      [['all-linear'], 64, false],
      [['all-linear'], 16, true],
    ] as const) {
      const lora = { rank, alpha: 32, dropout: 0, useRslora: false, useDora, init: 'default' as const };
      await addAdapter(onTop, { ...lora, targetModules: [...targetModules] }, Rng.of(0, 'lora'));
      const adapter = await adapterState(onTop);
      detachAdapter(onTop);
      const megabytes = bytesToAttach(merged, adapter, { merge: 'copy' }) / 2 ** 20;
      const kind = useDora ? 'DoRA' : 'rank';
      console.log(
        `${backend}, ${floatType}, ${kind} ${rank} on ${targetModules}: merged ${megabytes.toFixed(0)} MB`,
      );
      await attachAdapter(merged, adapter, { merge: 'copy' });
      await attachAdapter(onTop, adapter, { merge: 'never' });
      for (const slots of [1, 8, 32]) compare(`${slots} sequence(s), merged and not`, merged, onTop, slots);
      for (const decoder of [merged, onTop]) detachAdapter(decoder);
    }
    for (const decoder of [merged, onTop]) decoder.dispose();
  }
}
