import type { Family, Settings } from './family.js';

/** Which layers have rotary positions: in spite of its name, that is what the list says. */
const rotaryLayers = ({
  num_hidden_layers: layers,
  no_rope_layers: rotary,
  no_rope_layer_interval: interval,
}: Settings): boolean[] =>
  Array.from({ length: layers }, (_, i) => (rotary ? Boolean(rotary[i]) : (i + 1) % (interval ?? 4) !== 0));

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
  features: (settings) => ({
    attentionInputBias: settings.attention_bias ?? false,
    attentionOutputBias: settings.attention_bias ?? false,
    mlpBias: settings.mlp_bias ?? false,
    rotaryLayers: rotaryLayers(settings),
  }),
  // of the layers without rotary positions, in files that say that windows are used
  windows: (settings) => ({
    window: settings.use_sliding_window ? settings.sliding_window : null,
    hasWindow: (layer) =>
      !!settings.use_sliding_window && settings.sliding_window != null && !rotaryLayers(settings)[layer],
  }),
  refusal: ({ no_rope_layers: rotary, num_hidden_layers: layers }) =>
    rotary && rotary.length < layers
      ? `no_rope_layers has ${rotary.length} entries, expected one for each of the ${layers} layers`
      : undefined,
  // the defaults of transformers lie outside of small vocabularies
  newSettings: () => ({ pad_token_id: null }),
};
