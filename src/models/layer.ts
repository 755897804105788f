import type * as tf from '../tensors/tf.js';
import type { DecoderConfig } from './decoder-config.js';
import { Norm, Projection } from './parts.js';
import { DenseWeight } from './weight.js';
import type { BlockPart } from './weight-names.js';

/** One block: attention and a gated feed-forward, each after a norm and added to its input. */
export interface DecoderLayer {
  inputNorm: Norm;
  query: Projection;
  key: Projection;
  value: Projection;
  /** Of each head's queries and keys, where the family has them. */
  queryNorm: Norm | undefined;
  keyNorm: Norm | undefined;
  output: Projection;
  postAttentionNorm: Norm;
  gate: Projection;
  up: Projection;
  down: Projection;
}

/** Hands out the weights by their Hugging Face names. */
export type WeightSource = (name: string, shape: number[]) => tf.Tensor;

/** A norm of the model's own epsilon. */
export function makeNorm(config: DecoderConfig, weights: WeightSource, name: string, width: number): Norm {
  return new Norm(name, weights(`${name}.weight`, [width]) as tf.Tensor1D, config.rmsNormEpsilon);
}

/** A block with the features that a configuration says. @param nameOf what files call its parts */
export function makeLayer(
  config: DecoderConfig,
  weights: WeightSource,
  nameOf: (part: BlockPart) => string,
): DecoderLayer {
  const { hiddenSize: d, intermediateSize: f, headDim } = config;
  const { attentionInputBias, attentionOutputBias, mlpBias, queryKeyNorm = false } = config;
  const queries = config.numAttentionHeads * headDim;
  const keys = config.numKeyValueHeads * headDim;
  const norm = (part: BlockPart, width: number) => makeNorm(config, weights, nameOf(part), width);
  const projection = (part: BlockPart, out: number, input: number, bias: boolean) => {
    const name = nameOf(part);
    const weight = new DenseWeight(weights(`${name}.weight`, [out, input]) as tf.Tensor2D);
    return new Projection(name, weight, bias ? (weights(`${name}.bias`, [out]) as tf.Tensor1D) : undefined);
  };
  return {
    inputNorm: norm('inputNorm', d),
    query: projection('query', queries, d, attentionInputBias),
    key: projection('key', keys, d, attentionInputBias),
    value: projection('value', keys, d, attentionInputBias),
    queryNorm: queryKeyNorm ? norm('queryNorm', headDim) : undefined,
    keyNorm: queryKeyNorm ? norm('keyNorm', headDim) : undefined,
    output: projection('output', d, queries, attentionOutputBias),
    postAttentionNorm: norm('postAttentionNorm', d),
    gate: projection('gate', f, d, mlpBias),
    up: projection('up', f, d, mlpBias),
    down: projection('down', d, f, mlpBias),
  };
}

/** The projections of a block, in the order of the model. */
export const projectionsOf = (l: DecoderLayer): Projection[] => [
  l.query,
  l.key,
  l.value,
  l.output,
  l.gate,
  l.up,
  l.down,
];

/** The norms of a block. */
export const normsOf = (l: DecoderLayer): Norm[] =>
  [l.inputNorm, l.postAttentionNorm, l.queryNorm, l.keyNorm].filter((norm) => norm !== undefined);
