import type { Family } from './family.js';

/** SmolLM3 (Hugging Face, 2025): Llama where every fourth layer, or those that are named, has no rotary positions. */
export const smollm3: Family = {
  modelType: 'smollm3',
  architecture: 'SmolLM3ForCausalLM',
  defaults: {
    max_position_embeddings: 32768,
    num_key_value_heads: 4,
    rope_theta: 2_000_000,
    tie_word_embeddings: true,
  },
  features: ({
    attention_bias: attentionBias = false,
    mlp_bias: mlpBias = false,
    num_hidden_layers: layers,
    no_rope_layers: rotary,
    no_rope_layer_interval: interval,
  }) => ({
    attentionInputBias: attentionBias,
    attentionOutputBias: attentionBias,
    mlpBias,
    // in spite of its name, the list says which layers have rotary positions
    rotaryLayers: Array.from({ length: layers }, (_, i) =>
      rotary ? Boolean(rotary[i]) : (i + 1) % (interval ?? 4) !== 0,
    ),
  }),
  refusal: ({ no_rope_layers: rotary, num_hidden_layers: layers }) =>
    rotary && rotary.length < layers
      ? `no_rope_layers has ${rotary.length} entries, expected one for each of the ${layers} layers`
      : undefined,
  // the defaults of transformers lie outside of small vocabularies
  newSettings: () => ({ pad_token_id: null }),
};
