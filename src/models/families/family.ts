import type { FromSchema } from 'json-schema-to-ts';
import type { DecoderConfig } from '../decoder-config.js';
import type { WeightNames } from '../weight-names.js';
import { ropeSchema } from './rope.js';

const positive = { type: 'integer', minimum: 1 } as const;
const positiveNumber = { type: ['number', 'null'], exclusiveMinimum: 0 } as const;

/** The schema of the settings in a config.json that families share. */
export const settingsSchema = {
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
    rope_theta: positiveNumber,
    partial_rotary_factor: positiveNumber,
    rope_scaling: ropeSchema,
    rope_parameters: {
      ...ropeSchema,
      properties: { ...ropeSchema.properties, full_attention: ropeSchema, sliding_attention: ropeSchema },
    },
    max_position_embeddings: positive,
    original_max_position_embeddings: { type: ['integer', 'null'], minimum: 1 },
    tie_word_embeddings: { type: 'boolean' },
    attention_bias: { type: 'boolean' },
    mlp_bias: { type: 'boolean' },
    hidden_act: { type: 'string' },
    hidden_activation: { type: 'string' },
    use_sliding_window: { type: ['boolean', 'null'] },
    sliding_window: { type: ['integer', 'null'], minimum: 1 },
    no_rope_layers: { type: ['array', 'null'], items: { enum: [0, 1, false, true] } },
    no_rope_layer_interval: { type: ['integer', 'null'], minimum: 1 },
    sliding_window_pattern: positive,
    max_window_layers: { type: 'integer', minimum: 0 },
    layer_types: { type: ['array', 'null'], items: { type: 'string' } },
    query_pre_attn_scalar: { type: 'number', exclusiveMinimum: 0 },
    attn_logit_softcapping: positiveNumber,
    final_logit_softcapping: positiveNumber,
    use_bidirectional_attention: { type: ['boolean', 'string', 'null'] },
    rope_local_base_freq: positiveNumber,
    quantization_config: {},
  },
} as const;

/** The settings in a config.json, as transformers names them. */
export type Settings = FromSchema<typeof settingsSchema>;

/** What a family's models have that others' have not. */
export type Features = Pick<
  DecoderConfig,
  | 'attentionInputBias'
  | 'attentionOutputBias'
  | 'mlpBias'
  | 'queryKeyNorm'
  | 'rotaryLayers'
  | 'queryScale'
  | 'fusedProjections'
  | 'outputNorms'
  | 'unitOffsetNorm'
  | 'embeddingScale'
  | 'attentionScale'
  | 'attentionSoftCap'
  | 'logitSoftCap'
>;

/** The window of attention under some settings, and the layers that have it where config.json lists no types of layers. */
export interface WindowRule {
  readonly window: number | null | undefined;
  /** @param layer counted from 0 */
  hasWindow(layer: number): boolean;
}

/**
 * All that is particular to a family of models. What they share is read in `config.ts` and computed in
 * `decoder.ts`, where nothing asks for the name of a family.
 */
export interface Family {
  /** `model_type` in its config.json. */
  readonly modelType: string;
  /** Other names that people know it by, for messages. */
  readonly alsoKnownAs?: string;
  /** The class of transformers that loads it. */
  readonly architecture: string;
  /** What transformers takes for settings that a config.json leaves out, where that is not the common value. */
  readonly defaults: Partial<Settings> & { max_position_embeddings: number };
  /** Whether its config.json may say that only the first part of each head has rotary positions. */
  readonly partialRotary?: boolean;
  /** Its own names of types of rope scaling, with the common ones. */
  readonly ropeTypes?: Readonly<Record<string, string>>;
  /** The features of its models under these settings. */
  features(settings: Settings): Features;
  /** What the gate of its feed-forward block passes, and the setting that says so: `silu` in `hidden_act` when absent. */
  readonly activation?: { setting: 'hidden_activation'; name: 'gelu_pytorch_tanh' };
  /** Which of its layers have a window; without it no layer has one. */
  windows?(settings: Settings): WindowRule;
  /** θ of the rotary positions of layers with a window, in families where rope_parameters are by type of layer. */
  slidingRope?(settings: Settings): number;
  /** Says what is not supported in its settings, beyond what is refused for every family; undefined if all is. */
  refusal?(settings: Settings): string | undefined;
  /** Other types of models of its name that are not loaded, and what to do instead. */
  readonly relatives?: Readonly<Record<string, string>>;
  /** What its files call the weights, where it is not the common way. */
  readonly names?: WeightNames;
  /** Weights that its files may have and that no part of the model needs. Any other one is an error. */
  readonly harmlessWeights?: RegExp;
  /** Settings of its own in the config.json of a new model. */
  newSettings?(shape: { hiddenSize: number; numHeads: number }): Record<string, unknown>;
}

/** Rotary frequencies, which old versions of transformers saved among the weights and all of them compute anew. */
export const savedFrequencies = /\.rotary_emb\.inv_freq$/;
