/** How fast a LoRA step and a step of decoding are on the device. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rng } from '../../src/common/rng.js';
import { DecodeGraphs } from '../../src/models/decode-graphs.js';
import type { Decoder } from '../../src/models/decoder.js';
import { KvCache } from '../../src/models/kv-cache.js';
import * as tf from '../../src/tensors/tf.js';
import { findGpus } from '../../src/tensors/torch/gpus.js';
import type { TrainingSample } from '../../src/training/sample.js';
import { Trainer } from '../../src/training/trainer.js';
import { adaptedQwen, qwenDecoder } from '../bench/qwen.js';
import { medianMs, row } from '../bench/report.js';
import { askReference } from './ask.js';
import type { Short } from './part.js';
import { peakOf, type Settings, trainingFlops } from './settings.js';

interface Timing {
  name: string;
  seconds: number;
}

/** A line of the reference: one micro-batch, or which torch it was. */
interface ReferenceTiming {
  micro?: number;
  seconds?: number;
  problem?: string;
  reference?: string;
}

/** A step of training; the share of a GPU's peak where that is known. */
export async function training(settings: Settings, folder: string, short: Short): Promise<void> {
  const { config, length, batch, steps, device, floatType } = settings;
  const tokens = length * batch;
  const labels = length - Math.floor(length * 0.85);
  const flops = batch * trainingFlops(config, length, labels, 32);
  const gpu = device === 'cpu' ? undefined : findGpus().gpus[Number(device.split(':')[1] ?? 0)];
  const peak = gpu && peakOf(gpu.name);
  const line = (side: string, { name, seconds }: Timing): void =>
    row(
      `${side}, ${name}`,
      `${(1000 * seconds).toFixed(0)} ms`,
      `${(tokens / seconds).toFixed(0)} tokens/s`,
      peak
        ? `MFU ${((100 * flops) / seconds / peak).toFixed(1)} %`
        : `${(flops / seconds / 1e12).toFixed(3)} TFLOP/s`,
    );

  const ours: Timing[] = [];
  const decoder = await adaptedQwen({ config, floatType });
  const rng = Rng.of(1, 'samples');
  const sample = (): TrainingSample =>
    ({
      tokens: Int32Array.from({ length }, () => rng.int(0, config.vocabSize - 1)),
      index: 0,
      labelSpans: [[Math.floor(length * 0.85), length]],
      weight: 1,
      kind: 'gpu',
      dataset: 'gpu',
    }) as TrainingSample;
  const samples = Array.from({ length: batch }, sample);
  for (const most of settings.tokensAtATime) {
    const name = `${Math.max(1, Math.floor(most / length))} samples at a time`;
    let at = 0;
    const trainer = new Trainer(
      decoder,
      { next: async () => samples[at++ % batch]! },
      {
        seed: 0,
        schedule: () => 1e-4,
        batchSize: batch,
        maxTokensPerBatch: most,
        maxGradNorm: 1,
        weightDecay: 0,
      },
    );
    try {
      const times: number[] = [];
      for (let i = 0; i <= steps; i++) times.push((await trainer.step()).seconds);
      const seconds = times.slice(1).sort((a, b) => a - b)[steps >> 1]!;
      ours.push({ name, seconds });
      line('arclab', { name, seconds });
    } catch (error) {
      row(`arclab, ${name}`, `failed: ${String((error as Error).message).slice(0, 200)}`);
    }
    trainer.dispose();
  }
  decoder.dispose();
  if (peak) {
    const mfu = Math.max(...ours.map(({ seconds }) => flops / seconds / peak));
    for (const goal of [0.35, 0.45]) {
      if (!(mfu >= goal)) short(`training: MFU ${(100 * mfu).toFixed(1)} %, the goal is ${100 * goal} %`);
    }
  }

  const shape = join(folder, 'shape.json');
  writeFileSync(shape, JSON.stringify(config));
  const list = [length, batch, steps, settings.samplesAtATime.join()].map(String);
  const answers = askReference<ReferenceTiming>('train', shape, device, floatType, ...list);
  const reference = answers[0]?.reference ?? 'reference';
  const theirs = answers.flatMap(({ micro, seconds, problem }) => {
    if (micro === undefined) return [];
    const name = `${micro} samples at a time`;
    if (seconds === undefined) row(`${reference}, ${name}`, `does not fit: ${problem}`);
    else line(reference, { name, seconds });
    return seconds === undefined ? [] : [{ name, seconds, micro }];
  });
  const fastest = <X extends Timing>(list: readonly X[]): X | undefined =>
    list.toSorted((a, b) => a.seconds - b.seconds)[0];
  const [own, other] = [fastest(ours), fastest(theirs)];
  if (!own || !other) return short('training: one side has no figure');
  const single = theirs.find(({ micro }) => micro === 1);
  const ratio = other.seconds / own.seconds;
  row(`ratio to ${reference} at its best (${other.name})`, `${ratio.toFixed(2)} ×`);
  if (single) row('ratio to it at micro-batch 1', `${(single.seconds / own.seconds).toFixed(2)} ×`);
  if (device !== 'cpu' && ratio < 2) short(`training: ${ratio.toFixed(2)} × ${reference}, the goal is 2`);
}

/** Reading prompts, then greedy steps whose tokens the host reads, one operation after the other. */
export async function decoding(settings: Settings, short: Short): Promise<void> {
  const { config, sequences, context, newTokens, device, floatType } = settings;
  const decoder = qwenDecoder(undefined, { config, floatType });
  const cache = new KvCache(config, { slots: sequences, maxLength: context + newTokens + 2, floatType });
  prefill(decoder, cache, settings);
  const speed = decode(decoder, cache, settings, `${sequences} sequences, ${context} positions each`);
  if (device !== 'cpu' && speed < 30_000) short(`decoding: ${speed.toFixed(0)} tokens/s, the goal is 30,000`);
  cache.dispose();
  decoder.dispose();
}

/** The same steps as CUDA graphs: logits against those of a usual step, and tokens in a second. */
export async function graphs(settings: Settings, short: Short): Promise<void> {
  const { config, sequences, context, newTokens, floatType } = settings;
  const decoder = qwenDecoder(undefined, { config, floatType });
  const cache = new KvCache(config, { slots: sequences, maxLength: context + newTokens + 2, floatType });
  const made = DecodeGraphs.for(decoder, cache);
  const slots = Int32Array.from({ length: sequences }, (_, slot) => slot);
  const feed = (i: number, n = sequences): [Int32Array, Int32Array, Int32Array] => [
    Int32Array.from({ length: n }, (_, slot) => (slot * 7 + i) % config.vocabSize),
    slots.slice(0, n),
    new Int32Array(n).fill(context + i),
  ];
  for (const n of [1, 3, sequences]) {
    for (let i = 0; i < 5; i++) {
      const gap = tf.tidy(() => {
        const replayed = made?.logits(...feed(i, n));
        if (!replayed) return undefined;
        const usual = decoder.logits(decoder.forwardCached(...feed(i, n), cache), cache);
        const most = tf.max(tf.abs(tf.sub(usual, replayed))).dataSync()[0]!;
        return most / tf.max(tf.abs(usual)).dataSync()[0]!;
      });
      if (gap === undefined && i > 2) short(`graphs: no capture of ${n} sequences`);
      if (gap !== undefined) row(`${n} sequences, step ${i}`, `differs by ${gap.toExponential(1)}`);
      if (gap !== undefined && !(gap < 0.05)) short(`graphs: a replay of ${n} sequences differs by ${gap}`);
    }
  }
  const start = performance.now();
  for (let i = 0; i < newTokens; i++) {
    tf.tidy(() => {
      const logits = made?.logits(...feed(i));
      if (logits) tf.argMax(logits, -1).dataSync();
    });
  }
  const speed = (1000 * sequences * newTokens) / (performance.now() - start);
  row(`${sequences} sequences, ${context} positions each`, `${speed.toFixed(0)} tokens/s`);
  if (speed < 100_000) short(`graphs: ${speed.toFixed(0)} tokens/s, the goal is 100,000`);
  made?.dispose();
  cache.dispose();
  decoder.dispose();
}

/** Tokens of prompts in a second, read as one pass of several. */
function prefill(decoder: Decoder, cache: KvCache, { context, sequences, config }: Settings): void {
  const prompts = Math.min(8, sequences);
  const size = prompts * context;
  const tokens = Int32Array.from({ length: size }, (_, i) => (i * 7) % config.vocabSize);
  const slots = Int32Array.from(tokens, (_, i) => Math.floor(i / context));
  const positions = Int32Array.from(tokens, (_, i) => i % context);
  const ms = medianMs(3, () => {
    tf.tidy(() => {
      const hidden = decoder.forwardCached(tokens, slots, positions, cache);
      decoder.logits(tf.slice(hidden, [size - 1, 0], [1, -1])).dataSync();
    });
  });
  row(
    `prefill, ${prompts} prompts of ${context}`,
    `${ms.toFixed(1)} ms`,
    `${((1000 * size) / ms).toFixed(0)} tokens/s`,
  );
}

/** @returns tokens in a second */
function decode(decoder: Decoder, cache: KvCache, settings: Settings, name: string): number {
  const { config, sequences, context, newTokens, floatType } = settings;
  const slots = Int32Array.from({ length: sequences }, (_, slot) => slot);
  let tokens: Int32Array = Int32Array.from(slots, (slot) => (slot * 7) % config.vocabSize);
  // what the cache holds takes no time: positions before are zeros that are read all the same
  const step = (i: number): void => {
    const positions = new Int32Array(sequences).fill(context + i);
    tokens = tf.tidy(
      () =>
        tf
          .argMax(decoder.logits(decoder.forwardCached(tokens, slots, positions, cache), cache), -1)
          .dataSync<'int32'>() as Int32Array,
    );
  };
  step(0);
  step(1);
  const start = performance.now();
  for (let i = 0; i < newTokens; i++) step(i + 1);
  const seconds = (performance.now() - start) / 1000 / newTokens;
  const speed = sequences / seconds;
  const weights = Array.from(decoder.weights().values()).reduce((sum, { size }) => sum + size, 0);
  const bytes = (floatType === 'float32' ? 4 : 2) * weights + (cache.bytes * context) / cache.maxLength;
  row(
    name,
    `${(1000 * seconds).toFixed(1)} ms`,
    `${speed.toFixed(0)} tokens/s`,
    `${(bytes / seconds / 1e9).toFixed(1)} GB/s`,
  );
  return speed;
}
