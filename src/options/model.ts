/** Which model, where it computes, and how tasks are written for it. */
import { floatTypes } from '../tensors/precision.js';
import { count } from './shapes.js';
import type { OptionTable } from './table.js';

export const seedOption = {
  seed: {
    type: 'integer',
    default: 7,
    value: 'n',
    label: 'seed',
    description: 'random seed: the same seed gives the same digits',
  },
} as const satisfies OptionTable;

/** How often a flow that ends in metrics is repeated. */
export const seedsOption = {
  seeds: {
    ...count,
    default: 1,
    description:
      'repeat with n seeds (`seed`, `seed` + 100, `seed` + 200, …): mean and standard deviation of each metric',
  },
} as const satisfies OptionTable;

export const backendOptions = {
  backend: {
    type: 'string',
    value: 'name',
    surroundings: true,
    free: true,
    description: 'tensor backend; default: ARCLAB_BACKEND, else the best one present',
  },
  device: {
    type: 'string',
    value: 'name',
    free: true,
    description:
      "cpu, cuda or cuda:<n>; on webgpu gpu:<n> or the beginning of a GPU's name, as doctor lists them; default: the first GPU that the backend can use, else cpu",
  },
  dtype: {
    type: 'string',
    enum: floatTypes,
    value: 'type',
    formerly: ['torchDtype'],
    description:
      'type of frozen weights, activations and cache on the torch backend, of frozen matrices and cache on webgpu; default: float32',
  },
  weights: {
    type: 'string',
    enum: ['int8'],
    value: 'type',
    label: 'weights',
    description:
      "what frozen matrices of the layers are rounded to, each row with a scale of its own: int8 takes half of float16's memory and is slower; on the backends torch and webgpu; default: not rounded",
  },
} as const satisfies OptionTable;

const promptOptions = {
  gridEncoder: {
    type: 'string',
    default: 'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
    value: 'expression',
    description: 'how grids become text',
  },
  maxSeqLen: {
    type: 'integer',
    minimum: 2,
    default: 8192,
    value: 'tokens',
    label: 'len',
    description: "longest prompt and answer together; never more than the model's own limit",
  },
  pruneVocab: {
    type: 'boolean',
    default: false,
    label: 'pruned',
    description:
      'embeddings and head only for the tokens that prompts and answers can have; probabilities are normalised over those',
  },
} as const satisfies OptionTable;

const pathOptions = {
  modelPath: {
    type: 'string',
    required: true,
    value: 'folder|id',
    surroundings: true,
    description: 'a Hugging Face model folder or hub id',
  },
  adapterPath: {
    type: 'string',
    value: 'folder|id',
    surroundings: true,
    description: 'a PEFT adapter for it, a folder or hub id',
  },
} as const satisfies OptionTable;

export const modelOptions = {
  ...pathOptions,
  ...promptOptions,
  ...backendOptions,
} as const satisfies OptionTable;
