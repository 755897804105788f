import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FromSchema } from 'json-schema-to-ts';
import { readJson } from '../common/files.js';
import { compileSchema } from '../common/schema.js';
import { ModelFileError } from './errors.js';

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
    };

/** The shape of a decoder, read from a Hugging Face config.json. */
export interface DecoderConfig {
  modelType: 'qwen2' | 'llama';
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  rmsNormEpsilon: number;
  ropeTheta: number;
  ropeScaling?: RopeScaling;
  maxPositionEmbeddings: number;
  /** Whether the head is the embedding table. */
  tieWordEmbeddings: boolean;
  /** Whether the query, key and value projections have a bias (Qwen2). */
  attentionInputBias: boolean;
  /** Whether the output projection of attention has a bias. */
  attentionOutputBias: boolean;
  /** Whether the projections of the feed-forward block have a bias. */
  mlpBias: boolean;
}

const positive = { type: 'integer', minimum: 1 } as const;
const rope = { type: ['object', 'null'] } as const;

const configSchema = {
  type: 'object',
  required: [
    'model_type',
    'vocab_size',
    'hidden_size',
    'intermediate_size',
    'num_hidden_layers',
    'num_attention_heads',
  ],
  properties: {
    model_type: { type: 'string' },
    vocab_size: positive,
    hidden_size: positive,
    intermediate_size: positive,
    num_hidden_layers: positive,
    num_attention_heads: positive,
    num_key_value_heads: { type: ['integer', 'null'], minimum: 1 },
    head_dim: { type: ['integer', 'null'], minimum: 1 },
    rms_norm_eps: { type: 'number', exclusiveMinimum: 0 },
    rope_theta: { type: ['number', 'null'], exclusiveMinimum: 0 },
    rope_scaling: rope,
    rope_parameters: rope,
    max_position_embeddings: positive,
    tie_word_embeddings: { type: 'boolean' },
    attention_bias: { type: 'boolean' },
    mlp_bias: { type: 'boolean' },
    hidden_act: { type: 'string' },
    use_sliding_window: { type: 'boolean' },
    layer_types: { type: ['array', 'null'], items: { type: 'string' } },
    quantization_config: {},
  },
} as const;

type RawConfig = FromSchema<typeof configSchema>;

const validate = compileSchema<RawConfig>(configSchema, 'a model configuration');

/** Reads `config.json` of a model folder. @throws {UserError} that says what is missing or not supported. */
export function readConfig(folder: string): DecoderConfig {
  const path = join(folder, 'config.json');
  if (!existsSync(path) && existsSync(join(folder, 'adapter_config.json'))) {
    throw new ModelFileError(
      `${folder}: expected a model, found an adapter; give it with --adapter_path, and its base with --model_path`,
    );
  }
  return parseConfig(readJson(path, "a model's config.json"), path);
}

/** Turns the content of a config.json into a {@link DecoderConfig}; `source` names it in errors. */
export function parseConfig(value: unknown, source: string): DecoderConfig {
  const raw = validate(value, source);
  const { model_type: modelType } = raw;
  const refuse = (what: string): never => {
    throw new ModelFileError(`${source}: ${what}`);
  };
  if (modelType !== 'qwen2' && modelType !== 'llama') {
    return refuse(`unknown model_type "${modelType}". Known model types: qwen2 (also Qwen2.5), llama`);
  }
  if ((raw.hidden_act ?? 'silu') !== 'silu') refuse(`hidden_act "${raw.hidden_act}" found, expected "silu"`);
  if (raw.use_sliding_window || raw.layer_types?.some((type) => type !== 'full_attention')) {
    refuse('sliding-window attention is not supported, expected full attention in every layer');
  }
  if (raw.quantization_config) refuse('quantized weights are not supported, use the unquantized model');
  const heads = raw.num_attention_heads;
  const keyValueHeads = raw.num_key_value_heads ?? heads;
  const headDim = raw.head_dim ?? raw.hidden_size / heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    refuse(`hidden_size ${raw.hidden_size} / num_attention_heads ${heads} must be an even integer`);
  }
  if (heads % keyValueHeads !== 0) {
    refuse(`num_attention_heads ${heads} is not a multiple of num_key_value_heads ${keyValueHeads}`);
  }
  const maxPositionEmbeddings = raw.max_position_embeddings ?? (modelType === 'qwen2' ? 32768 : 2048);
  // transformers 5 keeps all of it in rope_parameters; before, there were rope_theta and rope_scaling
  const parameters = (raw.rope_parameters ?? raw.rope_scaling ?? {}) as Record<string, unknown>;
  const ropeTheta = Number(parameters.rope_theta ?? raw.rope_theta ?? 10000);
  const ropeScaling = parseRopeScaling(parameters, maxPositionEmbeddings, source);
  const isQwen2 = modelType === 'qwen2';
  return {
    modelType,
    vocabSize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    numHiddenLayers: raw.num_hidden_layers,
    numAttentionHeads: heads,
    numKeyValueHeads: keyValueHeads,
    headDim,
    rmsNormEpsilon: raw.rms_norm_eps ?? 1e-6,
    ropeTheta,
    ...(ropeScaling ? { ropeScaling } : {}),
    maxPositionEmbeddings,
    tieWordEmbeddings: raw.tie_word_embeddings ?? false,
    attentionInputBias: isQwen2 || (raw.attention_bias ?? false),
    attentionOutputBias: !isQwen2 && (raw.attention_bias ?? false),
    mlpBias: !isQwen2 && (raw.mlp_bias ?? false),
  };
}

function parseRopeScaling(
  parameters: Record<string, unknown>,
  maxPositionEmbeddings: number,
  source: string,
): RopeScaling | undefined {
  const type = String(parameters.rope_type ?? parameters.type ?? 'default');
  const number = (name: string, byDefault?: number): number => {
    const value = parameters[name] ?? byDefault;
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new ModelFileError(`${source}: rope type "${type}" needs a number ${name}, found ${value}`);
    }
    return value;
  };
  const partial = number('partial_rotary_factor', 1);
  if (partial !== 1) throw new ModelFileError(`${source}: partial_rotary_factor ${partial} is not supported`);
  switch (type) {
    case 'default':
      return undefined;
    case 'linear':
      return { type, factor: number('factor') };
    case 'llama3':
      return {
        type,
        factor: number('factor'),
        lowFrequencyFactor: number('low_freq_factor'),
        highFrequencyFactor: number('high_freq_factor'),
        originalMaxPositionEmbeddings: number('original_max_position_embeddings'),
      };
    case 'yarn': {
      const factor = number('factor');
      // YaRN's temperature: 0.1 · mscale · ln(factor) + 1, or a ratio of two of them
      const temperature = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
      const ratio =
        parameters.mscale && parameters.mscale_all_dim
          ? temperature(number('mscale')) / temperature(number('mscale_all_dim'))
          : temperature(1);
      return {
        type,
        factor,
        originalMaxPositionEmbeddings: number('original_max_position_embeddings', maxPositionEmbeddings),
        betaFast: number('beta_fast', 32),
        betaSlow: number('beta_slow', 1),
        truncate: parameters.truncate !== false,
        attentionFactor: number('attention_factor', ratio),
      };
    }
    default:
      throw new ModelFileError(
        `${source}: unknown rope type "${type}". Known types: default, linear, llama3, yarn`,
      );
  }
}
