/**
 * Generation with a model of Qwen2-0.5B's shape in float32 on the CPU: 8 prompts of 256 tokens and 64 new tokens
 * each, greedy, ours on libtorch against transformers' `generate` on the same torch. Needs ARCLAB_PYTHON.
 */
import { KvCache } from '../../src/models/kv-cache.js';
import { initBackend } from '../../src/tensors/backend.js';
import * as tf from '../../src/tensors/tf.js';
import { askPython, askSide, peakBytes } from './processes.js';
import { qwenConfig, qwenDecoder, randomTokens } from './qwen.js';
import { row } from './report.js';

interface Measurement {
  prefill: number;
  decode: number;
  peak: number;
}

const [SEQUENCES, PROMPT, NEW] = [8, 256, 64];

/** Our side, in a process of its own: seconds of the prompts, and of each step after them. */
export async function measure(): Promise<Measurement> {
  await initBackend('torch');
  const decoder = qwenDecoder();
  const prompts = Array.from({ length: SEQUENCES }, (_, i) => randomTokens(PROMPT, `prompt ${i}`));
  const slots = Int32Array.from({ length: SEQUENCES }, (_, slot) => slot);
  const cache = new KvCache(qwenConfig, { slots: SEQUENCES, maxLength: PROMPT + NEW });
  const choose = (hidden: tf.Tensor2D): Int32Array =>
    tf.argMax(decoder.logits(hidden), -1).dataSync<'int32'>() as Int32Array;
  const read = (): Int32Array =>
    tf.tidy(() => {
      const hidden = decoder.forwardCached(
        Int32Array.from(prompts.flat()),
        Int32Array.from(prompts.flatMap((tokens, slot) => tokens.map(() => slot))),
        Int32Array.from(prompts.flatMap((tokens) => tokens.map((_, position) => position))),
        cache,
      );
      const last = tf.tensor1d(
        prompts.map((_, i) => (i + 1) * PROMPT - 1),
        'int32',
      );
      return choose(tf.gather(hidden, last) as tf.Tensor2D);
    });
  read();
  let start = performance.now();
  let tokens = read();
  const prefill = (performance.now() - start) / 1000;
  start = performance.now();
  for (let i = 0; i < NEW; i++) {
    const positions = new Int32Array(SEQUENCES).fill(PROMPT + i);
    tokens = tf.tidy(() => choose(decoder.forwardCached(tokens, slots, positions, cache)));
  }
  return { prefill, decode: (performance.now() - start) / 1000 / NEW, peak: peakBytes() };
}

export async function run(): Promise<void> {
  console.log(
    `generation, Qwen2-0.5B shape, float32 on the CPU: ${SEQUENCES} prompts of ${PROMPT}, ${NEW} new tokens`,
  );
  const ours = askSide<Measurement>('torch-generate');
  const theirs = askPython<Measurement>('generate', String(SEQUENCES), String(PROMPT), String(NEW));
  for (const [side, { prefill, decode }] of [
    ['transformers', theirs],
    ['arclab', ours],
  ] as const) {
    row(
      side,
      `prompts ${prefill.toFixed(2)} s`,
      `step ${(1000 * decode).toFixed(0)} ms`,
      `${(SEQUENCES / decode).toFixed(1)} tokens/s`,
    );
  }
  row(
    'ratio',
    `${(theirs.prefill / ours.prefill).toFixed(2)} ×`,
    `${(theirs.decode / ours.decode).toFixed(2)} ×`,
  );
}
