/**
 * What this side of a GPU has to do for a step: models as deep as Qwen2-0.5B and so narrow that arithmetic takes no
 * time, on libtorch's CPU kernels. A step cannot be faster than that, whatever the device. Half a minute.
 */
import { KvCache } from '../../src/models/kv-cache.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import type { TorchBackend } from '../../src/tensors/torch/backend.js';
import type { TrainingSample } from '../../src/training/sample.js';
import { Trainer } from '../../src/training/trainer.js';
import { askSide } from './processes.js';
import { adaptedQwen, qwenConfig, qwenDecoder } from './qwen.js';
import { row } from './report.js';

interface Measurement {
  /** Median and shortest milliseconds of a step. */
  median: number;
  shortest: number;
  /** Operations that torch is asked for in a step. */
  operations: number;
}

const NARROW = {
  ...qwenConfig,
  vocabSize: 64,
  hiddenSize: 16,
  intermediateSize: 16,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  headDim: 8,
};
const [WARM_UP, STEPS] = [50, 200];

/** One side, in a process of its own: `decode` or `train`. */
export async function measure(what: string): Promise<Measurement> {
  await initBackend('torch');
  const { torch } = tf.backend() as TorchBackend;
  const step = what === 'decode' ? decodingStep() : await trainingStep();
  for (let i = 0; i < WARM_UP; i++) await step();
  const before = torch.callCount;
  const times: number[] = [];
  for (let i = 0; i < STEPS; i++) {
    const start = performance.now();
    await step();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return {
    median: times[STEPS >> 1] as number,
    shortest: times[0] as number,
    operations: (torch.callCount - before) / STEPS,
  };
}

/** A token for each of four sequences. */
function decodingStep(): () => void {
  const decoder = qwenDecoder(undefined, { config: NARROW });
  const slots = Int32Array.of(0, 1, 2, 3);
  const cache = new KvCache(NARROW, { slots: slots.length, maxLength: WARM_UP + STEPS });
  let tokens: Int32Array = new Int32Array(slots.length);
  let position = 0;
  return () => {
    const positions = new Int32Array(slots.length).fill(position++);
    tokens = tf.tidy(() => {
      const logits = decoder.logits(decoder.forwardCached(tokens, slots, positions, cache));
      return tf.argMax(logits, -1).dataSync<'int32'>() as Int32Array;
    });
  };
}

/** Forward, backward and AdamW for one sample. */
async function trainingStep(): Promise<() => Promise<unknown>> {
  const sample = {
    tokens: new Int32Array(16).fill(3),
    index: 0,
    labelSpans: [[8, 16]],
    weight: 1,
    kind: 'bench',
    dataset: 'bench',
  } as TrainingSample;
  const trainer = new Trainer(
    await adaptedQwen({ config: NARROW }),
    { next: async () => sample },
    {
      seed: 0,
      schedule: () => 1e-4,
      batchSize: 1,
      maxTokensPerBatch: 64,
      maxGradNorm: 1,
      weightDecay: 0,
    },
  );
  return () => trainer.step();
}

export async function run(): Promise<void> {
  console.log('what a step of 24 layers costs on the host, on libtorch');
  for (const [name, what] of [
    ['a step of decoding', 'decode'],
    ['a step of LoRA training', 'train'],
  ] as const) {
    const { median, shortest, operations } = askSide<Measurement>('torch-host', what);
    row(
      name,
      `${median.toFixed(2)} ms`,
      `at best ${shortest.toFixed(2)} ms`,
      `${operations.toFixed(0)} operations`,
      `${((1000 * median) / operations).toFixed(1)} µs each`,
    );
  }
}
