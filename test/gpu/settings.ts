import type { DecoderConfig } from '../../src/models/config.js';
import type { FloatType } from '../../src/tensors/precision.js';
import { qwenConfig } from '../bench/qwen.js';

/** What is measured, and how large. */
export interface Settings {
  device: string;
  /** The type that training and decoding are measured in. */
  floatType: FloatType;
  config: DecoderConfig;
  /** Training: tokens of a sample, samples of a step, tokens of ours and samples of the reference at a time. */
  length: number;
  batch: number;
  tokensAtATime: readonly number[];
  samplesAtATime: readonly number[];
  steps: number;
  /** Decoding: sequences, positions that each has, and how many tokens are added to each. */
  sequences: number;
  context: number;
  newTokens: number;
}

/** A model that a processor can run the whole script with in a minute, to try the script itself. */
const smallConfig: DecoderConfig = {
  ...qwenConfig,
  vocabSize: 2048,
  hiddenSize: 128,
  intermediateSize: 256,
  numHiddenLayers: 3,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 32,
};

export function settingsFor(device: string, floatType: FloatType): Settings {
  const small = device === 'cpu';
  return small
    ? {
        device,
        floatType,
        config: smallConfig,
        length: 100,
        batch: 4,
        tokensAtATime: [100, 400],
        samplesAtATime: [1, 4],
        steps: 2,
        sequences: 8,
        context: 60,
        newTokens: 8,
      }
    : {
        device,
        floatType,
        config: qwenConfig,
        length: 1600,
        batch: 16,
        tokensAtATime: [1600, 4800, 8000, 12_800, 25_600],
        samplesAtATime: [1, 4, 8, 16],
        steps: 3,
        sequences: 256,
        context: 1500,
        newTokens: 64,
      };
}

/** Dense half-precision peak in FLOP/s without sparsity, from the makers' data sheets, by what a name contains. */
const peaks: readonly (readonly [string, number])[] = [
  ['H100 PCIe', 756e12],
  ['H100', 989e12],
  ['H200', 989e12],
  ['GH200', 989e12],
  ['A100', 312e12],
  ['A10G', 70e12],
  ['L40S', 362e12],
  ['L4', 121e12],
  ['T4', 65e12],
  ['P100', 18.7e12],
  ['V100', 125e12],
];

/** The peak of a GPU, when it is known. */
export function peakOf(name: string): number | undefined {
  return peaks.find(([part]) => name.includes(part))?.[1];
}

/**
 * FLOPs that a LoRA step needs per sample, counted from the shapes: each product of the frozen weights forward and for
 * the gradient of its input, each of the adapters with that of its weights too, attention forward (2 products of the
 * lower triangle) and backward (5), the head for tokens with labels only. Nothing is counted for running layers twice.
 */
export function trainingFlops(config: DecoderConfig, length: number, labels: number, rank: number): number {
  const { hiddenSize: d, intermediateSize: f, headDim, numHiddenLayers, vocabSize } = config;
  const queries = config.numAttentionHeads * headDim;
  const keys = config.numKeyValueHeads * headDim;
  const frozen = 2 * d * queries + 2 * d * keys + 3 * d * f;
  const adapters = rank * (2 * (d + queries) + 2 * (d + keys));
  const attention = (7 * 2 * (length * (length + 1)) * queries) / 2;
  const perLayer = length * (2 * 2 * frozen + 3 * 2 * adapters) + attention;
  return numHiddenLayers * perLayer + labels * 2 * 2 * d * vocabSize;
}
