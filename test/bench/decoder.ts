import { Rng } from '../../src/common/rng.js';
import type { DecoderConfig } from '../../src/models/config.js';
import { Decoder } from '../../src/models/decoder.js';
import { packSequences } from '../../src/models/packed-tokens.js';
import { adamW } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';

/** The decoder that the measurements in the project's notes are of: 0.87M parameters. */
export const benchConfig: DecoderConfig = {
  modelType: 'llama',
  vocabSize: 512,
  hiddenSize: 128,
  intermediateSize: 352,
  numHiddenLayers: 4,
  numAttentionHeads: 4,
  numKeyValueHeads: 4,
  headDim: 32,
  rmsNormEpsilon: 1e-6,
  ropeTheta: 10_000,
  maxPositionEmbeddings: 4096,
  tieWordEmbeddings: true,
  attentionInputBias: false,
  attentionOutputBias: false,
  mlpBias: false,
};

/** A decoder with random weights, all of them trainable. */
export function randomDecoder(config = benchConfig, seed = 0): Decoder {
  const rng = Rng.of(seed, 'bench');
  return new Decoder(config, (_, shape) => {
    const size = tf.util.sizeFromShape(shape);
    const values = Float32Array.from({ length: size }, () => (shape.length === 1 ? 1 : rng.normal(0, 0.05)));
    return tf.tidy(() => tf.variable(tf.tensor(values, shape)));
  });
}

/** One step of training on `samples` samples of `length` tokens, every token with a label; returns the loss. */
export function makeTrainingStep(decoder: Decoder, samples: number, length: number): () => number {
  const rng = Rng.of(1, 'tokens');
  const draw = (): number[] => Array.from({ length }, () => rng.int(0, decoder.config.vocabSize - 1));
  const batch = packSequences(Array.from({ length: samples }, draw));
  const labels = batch.tokens.map((_, i) => batch.tokens[(i + 1) % batch.tokens.length] as number);
  const variables = [...decoder.trainableVariables().values()];
  const moments = [0, 1].map(() =>
    variables.map((variable) => tf.tidy(() => tf.variable(tf.zerosLike(variable)))),
  );
  const options = { lr: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
  let step = 0;
  return () => {
    step++;
    const { value, grads } = tf.variableGrads(
      () => tf.neg(tf.mean(decoder.labelLogProbs(decoder.forward(batch), labels))) as tf.Scalar,
      variables,
    );
    const gradients = variables.map((variable) => grads[variable.name] as tf.Tensor);
    adamW(variables, gradients, moments[0]!, moments[1]!, { ...options, step });
    const loss = value.dataSync()[0] as number;
    tf.dispose([value, gradients]);
    return loss;
  };
}

/** Multiplications and additions of one training step: 6 per weight and token, and those of causal attention. */
export function trainingFlops(config: DecoderConfig, samples: number, length: number): number {
  const { hiddenSize: d, intermediateSize: f, numHiddenLayers, headDim, vocabSize } = config;
  const queries = config.numAttentionHeads * headDim;
  const keys = config.numKeyValueHeads * headDim;
  const weights = numHiddenLayers * (2 * d * queries + 2 * d * keys + 3 * d * f) + vocabSize * d;
  const scores = (samples * length * (length + 1)) / 2;
  // forward 2 products of the scores' size, backward 5; each 2 operations for every score and dimension
  return 6 * weights * samples * length + numHiddenLayers * queries * scores * 2 * 7;
}
