/** How fast a LoRA step and a step of decoding are on the device. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rng } from '../../src/common/rng.js';
import { KvCache } from '../../src/models/kv-cache.js';
import * as tf from '../../src/tensors/tf.js';
import { findGpus } from '../../src/tensors/torch/gpus.js';
import type { TrainingSample } from '../../src/training/sample-source.js';
import { Trainer } from '../../src/training/trainer.js';
import { adaptedQwen, qwenDecoder } from '../bench/qwen.js';
import { row } from '../bench/report.js';
import { askReference } from './ask.js';
import { peakOf, type Settings, trainingFlops } from './settings.js';

interface Timing {
  name: string;
  seconds: number;
}

/** One line of a table; a size that does not fit is told and left out. */
function attempt(name: string, f: () => Timing): Timing | undefined {
  try {
    return f();
  } catch (error) {
    row(name, `does not fit: ${String((error as Error).message).slice(0, 80)}`);
    return undefined;
  }
}

/** @returns what falls short of the goals, for a GPU whose peak is known */
export async function training(settings: Settings, folder: string): Promise<string[]> {
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
  for (const most of settings.tokensAtATime) {
    const name = `${Math.max(1, Math.floor(most / length))} samples at a time`;
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
    decoder.dispose();
  }

  const shape = join(folder, 'shape.json');
  writeFileSync(shape, JSON.stringify(config));
  let reference = 'reference';
  const theirs = settings.samplesAtATime.flatMap((micro) => {
    const name = `${micro} samples at a time`;
    const timing = attempt(name, () => {
      const list = [length, batch, micro, steps].map(String);
      const answer = askReference<{ seconds: number; reference: string }>(
        'train',
        shape,
        device,
        floatType,
        ...list,
      );
      reference = answer.reference;
      return { name, seconds: answer.seconds };
    });
    if (timing) line(reference, timing);
    return timing ? [{ ...timing, micro }] : [];
  });
  const fastest = <X extends Timing>(list: readonly X[]): X | undefined =>
    list.toSorted((a, b) => a.seconds - b.seconds)[0];
  const [own, other] = [fastest(ours), fastest(theirs)];
  if (!own || !other) return ['training: one side has no figure'];
  const single = theirs.find(({ micro }) => micro === 1);
  const ratio = other.seconds / own.seconds;
  row(`ratio to ${reference} at its best (${other.name})`, `${ratio.toFixed(2)} ×`);
  if (single) row('ratio to it at micro-batch 1', `${(single.seconds / own.seconds).toFixed(2)} ×`);
  if (!peak) return [];
  const mfu = flops / own.seconds / peak;
  return [
    ...(ratio < 2 ? [`training: ${ratio.toFixed(2)} × ${reference}, the goal is 2`] : []),
    ...(mfu < 0.35 ? [`training: MFU ${(100 * mfu).toFixed(1)} %, the goal is 35 %`] : []),
  ];
}

export async function decoding(settings: Settings): Promise<string[]> {
  const { config, sequences, context, newTokens, device, floatType } = settings;
  const decoder = qwenDecoder(undefined, { config, floatType });
  const cache = new KvCache(config, { slots: sequences, maxLength: context + newTokens + 1, floatType });
  const slots = Int32Array.from({ length: sequences }, (_, slot) => slot);
  let tokens: Int32Array = Int32Array.from(slots, (slot) => (slot * 7) % config.vocabSize);
  // what the cache holds takes no time: positions before are zeros that are read all the same
  const step = (i: number): void => {
    const positions = new Int32Array(sequences).fill(context + i);
    tokens = tf.tidy(
      () =>
        tf
          .argMax(decoder.logits(decoder.forwardCached(tokens, slots, positions, cache)), -1)
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
    `${sequences} sequences, ${context} positions each`,
    `${(1000 * seconds).toFixed(1)} ms`,
    `${speed.toFixed(0)} tokens/s`,
    `${(bytes / seconds / 1e9).toFixed(1)} GB/s`,
  );
  cache.dispose();
  decoder.dispose();
  return device !== 'cpu' && speed < 30_000
    ? [`decoding: ${speed.toFixed(0)} tokens/s, the goal is 30,000`]
    : [];
}
