import { commonNames } from '../weight-names.js';
import type { Family, Features, Settings } from './family.js';

/** What the models of Gemma 2 and 3 have in common. */
export const gemmaFeatures = ({
  hidden_size: hiddenSize,
  attention_bias: bias = false,
  query_pre_attn_scalar: scalar = 256,
  final_logit_softcapping: logitSoftCap,
}: Settings): Features => ({
  attentionInputBias: bias,
  attentionOutputBias: bias,
  mlpBias: false,
  outputNorms: true,
  unitOffsetNorm: true,
  embeddingScale: Math.sqrt(hiddenSize),
  attentionScale: scalar ** -0.5,
  ...(logitSoftCap ? { logitSoftCap } : {}),
});

/** What their files call the norms around attention and feed-forward. */
export const gemmaNames = {
  ...commonNames,
  block: {
    ...commonNames.block,
    attentionOutputNorm: 'post_attention_layernorm',
    feedForwardNorm: 'pre_feedforward_layernorm',
    feedForwardOutputNorm: 'post_feedforward_layernorm',
  },
};

/** Settings of new models. */
export const newGemmaSettings = ({ hiddenSize, numHeads }: { hiddenSize: number; numHeads: number }) => ({
  head_dim: hiddenSize / numHeads,
  query_pre_attn_scalar: hiddenSize / numHeads,
});

/** That queries see what comes after them, which no model here does. */
export const bidirectional = ({ use_bidirectional_attention: both }: Settings): string | undefined =>
  both ? `use_bidirectional_attention ${both} is not supported, expected false` : undefined;

/**
 * Gemma 2 (Google, 2024): scaled embeddings, norms before and behind both halves of a block, a window in every other
 * layer, attention scores and logits that are capped, GELU in the feed-forward.
 */
export const gemma2: Family = {
  modelType: 'gemma2',
  alsoKnownAs: 'Gemma 2',
  architecture: 'Gemma2ForCausalLM',
  defaults: {
    max_position_embeddings: 8192,
    num_key_value_heads: 4,
    head_dim: 256,
    sliding_window: 4096,
    tie_word_embeddings: true,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
  },
  features: (settings) => ({
    ...gemmaFeatures(settings),
    ...(settings.attn_logit_softcapping ? { attentionSoftCap: settings.attn_logit_softcapping } : {}),
  }),
  activation: { setting: 'hidden_activation', name: 'gelu_pytorch_tanh' },
  windows: ({ sliding_window: window }) => ({ window, hasWindow: (layer) => layer % 2 === 0 }),
  refusal: bidirectional,
  names: gemmaNames,
  newSettings: newGemmaSettings,
};
