import type * as tf from '../tensors/tf.js';
import type { DecoderConfig } from './decoder-config.js';
import { FusedProjections, Norm, Projection, type Projections, SeparateProjections } from './parts.js';
import { DenseWeight, type Weight } from './weight.js';
import type { BlockPart } from './weight-names.js';

/** One block: attention and a gated feed-forward, each after a norm and added to its input, after another where there is one. */
export interface DecoderLayer {
  inputNorm: Norm;
  /** Whether its queries and keys are rotated by their positions. */
  isRotary: boolean;
  /** Queries, keys and values. */
  attentionInput: Projections;
  /** Of each head's queries and keys, where the family has them. */
  queryNorm: Norm | undefined;
  keyNorm: Norm | undefined;
  output: Projection;
  /** Of what attention gives, where the family has it. */
  attentionOutputNorm: Norm | undefined;
  feedForwardNorm: Norm;
  /** Gate and up. */
  gateUp: Projections;
  down: Projection;
  /** Of what the feed-forward gives, where the family has it. */
  feedForwardOutputNorm: Norm | undefined;
}

/** Hands out the weights by their Hugging Face names. */
export type WeightSource = (name: string, shape: number[]) => tf.Tensor;

/** Hands out the matrices of projections, however they are kept. */
export type MatrixSource = (name: string, shape: [out: number, input: number]) => Weight;

/** A norm of the model's own kind. */
export function makeNorm(config: DecoderConfig, weights: WeightSource, name: string, width: number): Norm {
  const { rmsNormEpsilon: epsilon, unitOffsetNorm: unitOffset = false } = config;
  return new Norm(name, weights(`${name}.weight`, [width]) as tf.Tensor1D, { epsilon, unitOffset });
}

/**
 * A block with the features that a configuration says.
 * @param index its number among the blocks
 * @param nameOf what files call its parts
 */
export function makeLayer(
  config: DecoderConfig,
  index: number,
  weights: WeightSource,
  nameOf: (part: BlockPart) => string,
  matrices: MatrixSource = (name, shape) => new DenseWeight(weights(name, shape) as tf.Tensor2D),
): DecoderLayer {
  const { hiddenSize: d, intermediateSize: f, headDim } = config;
  const {
    attentionInputBias,
    attentionOutputBias,
    mlpBias,
    queryKeyNorm = false,
    fusedProjections = false,
    outputNorms = false,
  } = config;
  const queries = config.numAttentionHeads * headDim;
  const keys = config.numKeyValueHeads * headDim;
  const norm = (part: BlockPart, width: number) => makeNorm(config, weights, nameOf(part), width);
  const projection = (part: BlockPart, out: number, input: number, bias: boolean) => {
    const name = nameOf(part);
    const weight = matrices(`${name}.weight`, [out, input]);
    return new Projection(name, weight, bias ? (weights(`${name}.bias`, [out]) as tf.Tensor1D) : undefined);
  };
  const joined = (fused: BlockPart, parts: [part: BlockPart, out: number][], bias: boolean): Projections => {
    const widths = parts.map(([, out]) => out);
    const total = widths.reduce((sum, width) => sum + width, 0);
    return fusedProjections
      ? new FusedProjections(projection(fused, total, d, bias), widths)
      : new SeparateProjections(parts.map(([part, out]) => projection(part, out, d, bias)));
  };
  const attentionInput: [BlockPart, number][] = [
    ['query', queries],
    ['key', keys],
    ['value', keys],
  ];
  const gateUp: [BlockPart, number][] = [
    ['gate', f],
    ['up', f],
  ];
  return {
    isRotary: config.rotaryLayers?.[index] ?? true,
    inputNorm: norm('inputNorm', d),
    attentionInput: joined('queryKeyValue', attentionInput, attentionInputBias),
    queryNorm: queryKeyNorm ? norm('queryNorm', headDim) : undefined,
    keyNorm: queryKeyNorm ? norm('keyNorm', headDim) : undefined,
    output: projection('output', d, queries, attentionOutputBias),
    attentionOutputNorm: outputNorms ? norm('attentionOutputNorm', d) : undefined,
    feedForwardNorm: norm('feedForwardNorm', d),
    gateUp: joined('gateUp', gateUp, mlpBias),
    down: projection('down', d, f, mlpBias),
    feedForwardOutputNorm: outputNorms ? norm('feedForwardOutputNorm', d) : undefined,
  };
}

/** The projections of a block, in the order of the model. */
export const projectionsOf = (l: DecoderLayer): Projection[] => [
  ...l.attentionInput.all,
  l.output,
  ...l.gateUp.all,
  l.down,
];

/** The norms of a block. */
export const normsOf = (l: DecoderLayer): Norm[] =>
  [
    l.inputNorm,
    l.attentionOutputNorm,
    l.feedForwardNorm,
    l.feedForwardOutputNorm,
    l.queryNorm,
    l.keyNorm,
  ].filter((norm) => norm !== undefined);
