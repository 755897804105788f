import type { WeightNames } from './weight-names.js';

/** How the rotary frequencies are stretched beyond the length a model was trained with. */
export type RopeScaling =
  | { type: 'linear'; factor: number }
  | {
      type: 'llama3';
      factor: number;
      lowFrequencyFactor: number;
      highFrequencyFactor: number;
      originalMaxPositionEmbeddings: number;
    }
  | {
      type: 'yarn';
      factor: number;
      originalMaxPositionEmbeddings: number;
      betaFast: number;
      betaSlow: number;
      truncate: boolean;
      attentionFactor: number;
    }
  | {
      /** NTK-aware scaling by the length of the sequence, where it is above `maxPositionEmbeddings`. */
      type: 'dynamic';
      factor: number;
    }
  | {
      /** LongRoPE (https://arxiv.org/abs/2402.13753): divisors of the frequencies [rotaryDim / 2] by length. */
      type: 'longrope';
      /** Up to `originalMaxPositionEmbeddings` tokens. */
      shortFactors: readonly number[];
      /** Above that. */
      longFactors: readonly number[];
      originalMaxPositionEmbeddings: number;
      attentionFactor: number;
    };

/** The shape of a decoder and the features of its blocks, read from a Hugging Face config.json by its family. */
export interface DecoderConfig {
  /** The family, as config.json names it. What a decoder computes depends on the other settings alone. */
  modelType: string;
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  /** Width of a head; heads · width need not be the hidden size. */
  headDim: number;
  rmsNormEpsilon: number;
  /** Whether weights of norms are stored as their difference from one. */
  unitOffsetNorm?: boolean;
  ropeTheta: number;
  ropeScaling?: RopeScaling;
  /** How many of a head's columns, the first ones, have rotary positions; all of them when absent. */
  rotaryDim?: number;
  /** Which layers have rotary positions; all of them when absent. */
  rotaryLayers?: readonly boolean[];
  /** The rotary positions of layers with a window, where they are not those of the others. */
  slidingRope?: { ropeTheta: number; ropeScaling?: RopeScaling };
  /**
   * Llama 4's temperature of attention: queries at position p are multiplied by
   * 1 + beta · ln(1 + ⌊p / originalMaxPositionEmbeddings⌋), which is one within the length of training.
   */
  queryScale?: { beta: number; originalMaxPositionEmbeddings: number };
  maxPositionEmbeddings: number;
  /** Whether the head is the embedding table. */
  tieWordEmbeddings: boolean;
  /** Whether the query, key and value projections have a bias. */
  attentionInputBias: boolean;
  /** Whether the output projection of attention has a bias. */
  attentionOutputBias: boolean;
  /** Whether the projections of the feed-forward block have a bias. */
  mlpBias: boolean;
  /** Whether each head's queries and keys pass an RMSNorm of width headDim before the rotary positions. */
  queryKeyNorm?: boolean;
  /** Whether queries, keys and values come from one matrix with the rows of all, and gate and up from another. */
  fusedProjections?: boolean;
  /** Whether what attention and feed-forward give passes a norm before it is added to their input. */
  outputNorms?: boolean;
  /** What the gate of the feed-forward block passes: SiLU when absent, or GELU's approximation by tanh. */
  activation?: 'gelu-tanh';
  /** What hidden states are multiplied by when they come from the table of embeddings. */
  embeddingScale?: number;
  /** The factor on products of queries and keys, where it is not 1 / √headDim. */
  attentionScale?: number;
  /** Attention scores s become cap · tanh(s / cap). */
  attentionSoftCap?: number;
  /** Logits y become cap · tanh(y / cap). */
  logitSoftCap?: number;
  /** How many positions the queries of each layer see, their own included: null for all, absent where all see all. */
  windows?: readonly (number | null)[];
  /** What the files call the weights, where it is not the common way. */
  names?: WeightNames;
}
