/**
 * @file What devices are taken to do, and what follows from it for a model: tokens for each second, and memory. The
 * figures are those of data sheets, and parts of them that kernels usually reach; where `measured` says nothing, nobody
 * has run arclab on such a device and looked.
 */
import { UserError } from '../common/errors.js';
import type { DecoderConfig } from '../models/index.js';
import { modelShapes } from '../models/weights.js';
import { trainingBytes } from '../training/memory.js';
import type { Speeds } from './costs.js';

/** A device to compute on. */
export interface Processor {
  readonly label: string;
  /** Of products of matrices in 16-bit numbers (of the CPU: in float32), in TFLOP/s. */
  readonly teraflops: number;
  /** Of its memory, in GB/s. */
  readonly bandwidth: number;
  /** In GiB. */
  readonly memory: number;
  readonly bytesPerNumber: 2 | 4;
  /** When its speeds were measured; absent: never. */
  readonly measured?: string;
}

/** Devices by the name that a plan is asked for with. */
export const processors: Readonly<Record<string, Processor>> = {
  T4: { label: 'T4', teraflops: 65, bandwidth: 320, memory: 15, bytesPerNumber: 2 },
  L4: { label: 'L4', teraflops: 121, bandwidth: 300, memory: 22, bytesPerNumber: 2 },
  A100: { label: 'A100', teraflops: 312, bandwidth: 1555, memory: 40, bytesPerNumber: 2 },
  H100: { label: 'H100', teraflops: 990, bandwidth: 3350, memory: 80, bytesPerNumber: 2 },
  RTX6000: { label: 'RTX Pro 6000', teraflops: 500, bandwidth: 1790, memory: 95, bytesPerNumber: 2 },
  CPU: { label: 'two cores', teraflops: 0.2, bandwidth: 40, memory: 16, bytesPerNumber: 4 },
};

/** Devices of one kind in one machine. */
export interface Machine {
  readonly name: string;
  readonly processor: Processor;
  readonly count: number;
}

/** Reads `T4x2`: two of a kind. @throws {UserError} for a kind that is not known */
export function parseMachine(name: string): Machine {
  const [, kind = '', count = '1'] = /^(\w+?)(?:[x×](\d+))?$/i.exec(name) ?? [];
  const known = Object.keys(processors).find((candidate) => candidate.toLowerCase() === kind.toLowerCase());
  if (known === undefined || Number(count) < 1) {
    const names = Object.keys(processors).join(', ');
    throw new UserError(`\`plan\`: expected devices such as T4x2 or L4x4, of ${names}; found ${name}`);
  }
  return { name, processor: processors[known]!, count: Number(count) };
}

/** The part of a device's figures that kernels are taken to reach in training, in reading prompts and in decoding. */
const REACHED = { tune: 0.3, prompt: 0.4, answer: 0.5 };

/** Seconds that a layer takes at least, however small it is: launches of kernels, forward alone and with a gradient. */
const LAYER = { forward: 0.3e-3, training: 1e-3 };

/** What of a model its speed depends on. */
export interface ModelSize {
  readonly config: DecoderConfig;
  /** All weights, and those that every token is multiplied with. */
  readonly parameters: number;
  readonly multiplied: number;
}

/** The size of a model by its configuration. */
export function modelSize(config: DecoderConfig): ModelSize {
  const { weights, projections } = modelShapes(config);
  const size = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);
  const parameters = [...weights.values()].reduce((sum, shape) => sum + size(shape), 0);
  const multiplied = [...projections.values()].reduce((sum, shape) => sum + size(shape), 0);
  return { config, parameters, multiplied };
}

/** How a model is used. */
export interface Usage {
  /** Sequences decoded in parallel. */
  readonly batchSize: number;
  /** Tokens of one step of fine-tuning, and of the longest of all samples. */
  readonly stepTokens: number;
  readonly longest: number;
  /** Tokens that a cache has room for; where nothing is said, those of a batch of the longest. */
  readonly cached?: number;
  /** Of the adapter. */
  readonly rank: number;
}

/**
 * Tokens for each second of one device. The gradient of an adapter takes a forward pass and one through the frozen
 * weights; decoding reads all weights for each token of a batch.
 */
export function speedsOn(
  { teraflops, bandwidth, bytesPerNumber }: Processor,
  { config, parameters, multiplied }: ModelSize,
  { batchSize, stepTokens }: Usage,
): Speeds {
  const flops = 1e12 * teraflops;
  const layers = config.numHiddenLayers;
  const step = (4 * multiplied * stepTokens) / (REACHED.tune * flops) + layers * LAYER.training;
  const reading = (parameters * bytesPerNumber) / (REACHED.answer * 1e9 * bandwidth);
  const computing = (2 * multiplied * batchSize) / (REACHED.answer * flops);
  return {
    tune: stepTokens / step,
    prompt: (REACHED.prompt * flops) / (2 * multiplied),
    answer: batchSize / Math.max(reading, computing, layers * LAYER.forward),
  };
}

/** GiB on one device: the weights, what a step of fine-tuning takes besides, and the cache. */
export function memoryOn(
  { bytesPerNumber }: Processor,
  { config, parameters }: ModelSize,
  { batchSize, longest, cached = batchSize * longest, stepTokens, rank }: Usage,
) {
  const { numHiddenLayers, numKeyValueHeads, headDim } = config;
  const model = { config, floatType: bytesPerNumber === 2 ? 'bfloat16' : 'float32' } as const;
  const pass = { tokens: Math.max(longest, stepTokens), labels: 0.2 * longest };
  const step = (checkpointing: boolean) =>
    trainingBytes({ ...model, lora: { rank }, cut: undefined }, pass, { checkpointing });
  const gibibytes = (bytes: number) => bytes / 2 ** 30;
  return {
    weights: gibibytes(parameters * bytesPerNumber),
    step: gibibytes(step(false)),
    checkpointed: gibibytes(step(true)),
    cache: gibibytes(2 * numHiddenLayers * numKeyValueHeads * headDim * bytesPerNumber * cached),
  };
}
