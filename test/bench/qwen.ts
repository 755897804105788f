import { Rng } from '../../src/common/rng.js';
import { addAdapter } from '../../src/models/adapter.js';
import type { DecoderConfig } from '../../src/models/config.js';
import { Decoder } from '../../src/models/decoder.js';
import { Int8Weight } from '../../src/models/int8-weight.js';
import type { MatrixSource } from '../../src/models/layer.js';
import { VocabularyCut } from '../../src/models/vocabulary-cut.js';
import { type FloatType, toFloatType } from '../../src/tensors/float-type.js';
import { quantizeRows } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';

/** The shape of Qwen2-0.5B. */
const qwen2: DecoderConfig = {
  modelType: 'qwen2',
  vocabSize: 151_936,
  hiddenSize: 896,
  intermediateSize: 4864,
  numHiddenLayers: 24,
  numAttentionHeads: 14,
  numKeyValueHeads: 2,
  headDim: 64,
  rmsNormEpsilon: 1e-6,
  ropeTheta: 1_000_000,
  maxPositionEmbeddings: 32_768,
  tieWordEmbeddings: true,
  attentionInputBias: true,
  attentionOutputBias: false,
  mlpBias: false,
};

/** The shape of Qwen3-0.6B. */
const qwen3: DecoderConfig = {
  ...qwen2,
  modelType: 'qwen3',
  hiddenSize: 1024,
  intermediateSize: 3072,
  numHiddenLayers: 28,
  numAttentionHeads: 16,
  numKeyValueHeads: 8,
  headDim: 128,
  maxPositionEmbeddings: 40_960,
  attentionInputBias: false,
  queryKeyNorm: true,
};

/** The shapes that are measured, by the name that ARCLAB_SHAPE may give. */
const shapes: Record<string, DecoderConfig> = { 'Qwen2-0.5B': qwen2, 'Qwen3-0.6B': qwen3 };
export const shapeName = process.env.ARCLAB_SHAPE ?? 'Qwen2-0.5B';
export const qwenConfig = shapes[shapeName]!;
if (qwenConfig === undefined) {
  throw new Error(`ARCLAB_SHAPE: expected one of ${Object.keys(shapes).join(', ')}, found ${shapeName}`);
}

/**
 * A decoder of that shape with weights that are random enough to be timed: one million draws, over and over.
 * @param kept ids of the tokens that embeddings and head have rows for; all when absent
 */
export function qwenDecoder(
  kept?: Int32Array,
  {
    config = qwenConfig,
    floatType = 'float32',
    rounded = false,
  }: { config?: DecoderConfig; floatType?: FloatType; rounded?: boolean } = {},
): Decoder {
  const rng = Rng.of(0, 'qwen');
  const draws = Float32Array.from({ length: 1 << 20 }, () => rng.normal(0, 0.02));
  // one array for all: every tensor copies what it needs of it
  const values = new Float32Array(config.vocabSize * config.hiddenSize);
  for (let at = 0; at < values.length; at += draws.length) {
    values.set(draws.subarray(0, values.length - at), at);
  }
  const weights = (_: string, shape: number[]) =>
    tf.tidy(() => toFloatType(tf.tensor(values.subarray(0, tf.util.sizeFromShape(shape)), shape), floatType));
  const cut = kept && new VocabularyCut(kept, config.vocabSize);
  const matrices: MatrixSource = (_, [out, input]) => {
    const { words, scales } = quantizeRows(values.slice(0, out * input), input);
    const matrix = { words: tf.tensor2d(words, [out, input / 4], 'int32'), scales: tf.tensor1d(scales) };
    return new Int8Weight(matrix, floatType);
  };
  return new Decoder(config, weights, { cut, floatType, ...(rounded ? { matrices } : {}) });
}

/** The same with a trainable adapter of rank 32 on the projections of attention. */
export async function adaptedQwen({
  useDora = false,
  dropout = 0,
  ...options
}: { useDora?: boolean; dropout?: number } & Parameters<typeof qwenDecoder>[1] = {}): Promise<Decoder> {
  const decoder = qwenDecoder(undefined, options);
  const lora = { rank: 32, alpha: 64, dropout, useRslora: false, useDora, init: 'default' as const };
  await addAdapter(decoder, lora, Rng.of(0, 'lora'));
  return decoder;
}

/** Random tokens, of all or of those that are given. */
export function randomTokens(length: number, name: string, of?: Int32Array): number[] {
  const rng = Rng.of(1, name);
  return Array.from(
    { length },
    () => of?.[rng.int(0, of.length - 1)] ?? rng.int(0, qwenConfig.vocabSize - 1),
  );
}
