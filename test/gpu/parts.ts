/** @file The parts of the script, the most important first. */
import { describeGpu, findGpus } from '../../src/tensors/torch/gpus.js';
import { describeTorch } from '../../src/tensors/torch/locate.js';
import { conformance } from './conformance.js';
import { int8 } from './int8.js';
import { limits } from './limits.js';
import { nccl } from './nccl.js';
import { parity } from './parity.js';
import type { Part } from './part.js';
import { decoding, graphs, training } from './speed.js';
import { scoring, search, taskTuning } from './tasks.js';

export const parts: Record<string, Part> = {
  machine: {
    title: 'what there is',
    limit: 60,
    async run({ device, settings: { config, floatType } }) {
      const { gpus, absent } = findGpus();
      console.log(`  node ${process.versions.node}; ${describeTorch().found}`);
      console.log(`  ${gpus.length > 0 ? gpus.map(describeGpu).join('; ') : absent}`);
      console.log(
        `  on ${device}${device === 'cpu' ? ' (A SMALL MODEL: no figure here says anything about a GPU)' : ''}, ` +
          `${floatType}, ${config.numHiddenLayers} layers of ${config.hiddenSize}, vocabulary ${config.vocabSize}`,
      );
    },
  },
  conformance: {
    title: "the largest difference from tfjs' plain backend, relative to the largest value",
    limit: 90,
    run: async ({ device, types, short }) => (await conformance(device, types)).forEach(short),
  },
  parity: {
    title: 'a small model: relative error against float32 by plain PyTorch on the processor',
    limit: 90,
    async run({ folder, device, types, short }) {
      for (const type of types) (await parity(folder, device, type)).forEach(short);
    },
  },
  training: {
    title: 'a LoRA step: samples with labels on 15 % of their tokens, rank 32 on q, k, v, o',
    limit: 180,
    run: ({ settings, folder, short }) => training(settings, folder, short),
  },
  decoding: {
    title: 'reading prompts, and a step of decoding, greedy, the tokens read by the host',
    limit: 60,
    run: ({ settings, short }) => decoding(settings, short),
  },
  graphs: {
    title: 'a step of decoding as a CUDA graph, against a usual one',
    limit: 90,
    needsGpu: true,
    run: ({ settings, short }) => graphs(settings, short),
  },
  limits: {
    title: 'sliding windows, soft caps and samples longer than a block of the kernels, as conformance',
    limit: 90,
    run: async ({ device, types, short }) => (await limits(device, types)).forEach(short),
  },
  scoring: {
    title: 'scores of candidates with a shared prompt, against one prompt for each',
    limit: 60,
    run: ({ settings, short }) => scoring(settings, short),
  },
  search: {
    title: "what a search finds with a small model, against tfjs' plain backend",
    limit: 60,
    run: ({ settings, short }) => search(settings, short),
  },
  task: {
    title: 'a task: 128 steps of tuning on it, a search of 8 views, scores of what it has found',
    limit: 120,
    run: ({ settings, short }) => taskTuning(settings, short),
  },
  int8: {
    title: 'weights in int8 against whole ones: difference, and a step of decoding',
    limit: 60,
    run: ({ settings, short }) => int8(settings, short),
  },
  nccl: {
    title: 'NCCL with one rank, on the stream of torch',
    limit: 60,
    needsGpu: true,
    run: ({ short }) => nccl(short),
  },
};
