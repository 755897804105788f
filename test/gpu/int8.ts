/** @file Weights in int8: their product against that of the whole weights, and what they cost in a step of decoding. */
import type { Decoder } from '../../src/models/decoder.js';
import { KvCache } from '../../src/models/kv-cache.js';
import { floatTypeOf, toFloatType } from '../../src/tensors/float-type.js';
import { dequantize, quantizedLinear, quantizeRows } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { qwenDecoder } from '../bench/qwen.js';
import { medianMs, row } from '../bench/report.js';
import type { Short } from './part.js';
import type { Settings } from './settings.js';

/** How far a product may be from that of the same numbers in whole weights. */
const tolerance = { float32: 1e-4, float16: 5e-3, bfloat16: 4e-2 };

export async function int8(settings: Settings, short: Short): Promise<void> {
  const { floatType, context } = settings;
  const values = Float32Array.from({ length: 96 * 64 }, (_, i) => Math.sin(i * i));
  const { words, scales } = quantizeRows(values, 64);
  const gap = tf.tidy(() => {
    const matrix = { words: tf.tensor2d(words, [96, 16], 'int32'), scales: tf.tensor1d(scales) };
    const wide = tf.reshape(tf.cos(tf.range(0, 7 * 64)), [7, 64]);
    const x = toFloatType(wide, floatType) as tf.Tensor2D;
    const y = toFloatType(quantizedLinear(x, matrix, undefined), 'float32');
    const expected = tf.matMul(toFloatType(x, 'float32') as tf.Tensor2D, dequantize(matrix), false, true);
    const most = tf.max(tf.abs(tf.sub(y, expected))).dataSync()[0]!;
    if (floatTypeOf(x) !== floatType) throw new Error('the input is not of the type that was asked for');
    return most / tf.max(tf.abs(expected)).dataSync()[0]!;
  });
  row('product with int8, relative difference', gap.toExponential(1));
  if (!(gap < tolerance[floatType])) short(`int8: a product differs by ${gap.toExponential(1)}`);

  const config = { ...settings.config, numHiddenLayers: Math.min(4, settings.config.numHiddenLayers) };
  const stepMs = (decoder: Decoder, slots: number): number => {
    const cache = new KvCache(config, { slots, maxLength: context + 1, floatType });
    const ids = Int32Array.from({ length: slots }, (_, slot) => slot);
    const positions = new Int32Array(slots).fill(context);
    const ms = medianMs(10, () => {
      tf.tidy(() => decoder.forwardCached(new Int32Array(slots).fill(7), ids, positions, cache).dataSync());
    });
    cache.dispose();
    return ms;
  };
  const [plain, rounded] = [false, true].map((rounded) =>
    qwenDecoder(undefined, { config, floatType, rounded }),
  ) as [Decoder, Decoder];
  for (const slots of [1, 8, 64]) {
    const [whole, small] = [stepMs(plain, slots), stepMs(rounded, slots)];
    row(
      `${slots} sequences, ${config.numHiddenLayers} layers`,
      `whole ${whole.toFixed(2)} ms`,
      `int8 ${small.toFixed(2)} ms`,
      `${(small / whole).toFixed(2)} ×`,
    );
  }
  plain.dispose();
  rounded.dispose();
}
