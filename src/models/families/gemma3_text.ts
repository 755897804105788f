import type { Family } from './family.js';
import { bidirectional, gemmaFeatures, gemmaNames, newGemmaSettings } from './gemma2.js';

/**
 * Gemma 3 (Google, 2025), the text models: as Gemma 2, with norms of each head's queries and keys instead of capped
 * scores, five layers with a window for each without, and rotary positions of their own in these.
 */
export const gemma3Text: Family = {
  modelType: 'gemma3_text',
  alsoKnownAs: 'Gemma 3',
  architecture: 'Gemma3ForCausalLM',
  defaults: {
    max_position_embeddings: 131_072,
    num_key_value_heads: 4,
    head_dim: 256,
    rope_theta: 1_000_000,
    sliding_window: 4096,
    tie_word_embeddings: true,
  },
  features: (settings) => ({ ...gemmaFeatures(settings), queryKeyNorm: true }),
  activation: { setting: 'hidden_activation', name: 'gelu_pytorch_tanh' },
  slidingRope: ({ rope_local_base_freq: theta }) => theta ?? 10_000,
  windows: ({ sliding_window: window, sliding_window_pattern: every = 6 }) => ({
    window,
    hasWindow: (layer) => (layer + 1) % every !== 0,
  }),
  refusal: (settings) =>
    settings.attn_logit_softcapping
      ? `attn_logit_softcapping ${settings.attn_logit_softcapping}: Gemma 3 does not cap attention scores, expected null`
      : bidirectional(settings),
  relatives: {
    gemma3:
      'it takes images. Its text model is one of type gemma3_text once it has a folder of its own: ' +
      'python -c "import sys, transformers as t; a, b = sys.argv[1:]; ' +
      'm = t.AutoModelForImageTextToText.from_pretrained(a); x = t.Gemma3ForCausalLM(m.config.text_config); ' +
      'x.model, x.lm_head = m.model.language_model, m.lm_head; x.save_pretrained(b); ' +
      't.AutoTokenizer.from_pretrained(a).save_pretrained(b)" model text-model',
  },
  names: gemmaNames,
  newSettings: newGemmaSettings,
};
