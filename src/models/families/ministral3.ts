import type { Family } from './family.js';
import { oneWindow, oneWindowRefusal } from './windows.js';

/** What transformers takes where a config.json has no rope_parameters. */
const defaultRope = {
  rope_type: 'yarn',
  rope_theta: 1_000_000,
  factor: 16,
  original_max_position_embeddings: 16_384,
  beta_fast: 32,
  beta_slow: 1,
  mscale_all_dim: 1,
  mscale: 1,
  llama_4_scaling_beta: 0.1,
};

/** Ministral 3 (Mistral AI, 2025), the text model: as Mistral, with queries that grow beyond the length of training. */
export const ministral3: Family = {
  modelType: 'ministral3',
  alsoKnownAs: 'Ministral 3',
  architecture: 'Ministral3ForCausalLM',
  defaults: {
    max_position_embeddings: 262_144,
    num_key_value_heads: 8,
    head_dim: 128,
    rms_norm_eps: 1e-5,
    rope_parameters: defaultRope,
  },
  features: ({ rope_parameters: rope }) => ({
    attentionInputBias: false,
    attentionOutputBias: false,
    mlpBias: false,
    queryScale: {
      beta: rope?.llama_4_scaling_beta ?? 0,
      originalMaxPositionEmbeddings: rope?.original_max_position_embeddings ?? 1,
    },
  }),
  windows: oneWindow,
  refusal(settings) {
    const { llama_4_scaling_beta: beta, original_max_position_embeddings: length } =
      settings.rope_parameters ?? {};
    if (beta == null || length == null) {
      const missing = beta == null ? 'llama_4_scaling_beta' : 'original_max_position_embeddings';
      return `rope_parameters of a ministral3 model need a number ${missing}, found none`;
    }
    return oneWindowRefusal(settings);
  },
  relatives: {
    mistral3:
      'it takes images. Its text model (ministral3 or mistral) is loaded once it has a folder of its own: ' +
      'python -c "import sys, transformers as t; a, b = sys.argv[1:]; ' +
      'm = t.AutoModelForImageTextToText.from_pretrained(a); c = m.config.text_config; ' +
      'c.tie_word_embeddings = m.lm_head.weight is m.get_input_embeddings().weight; x = t.AutoModelForCausalLM.from_config(c); ' +
      'x.model, x.lm_head = m.model.language_model, m.lm_head; x.save_pretrained(b); ' +
      't.AutoTokenizer.from_pretrained(a).save_pretrained(b)" model text-model',
  },
  newSettings: ({ hiddenSize, numHeads }) => ({ head_dim: hiddenSize / numHeads }),
};
