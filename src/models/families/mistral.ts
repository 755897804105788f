import type { Family } from './family.js';

/** Mistral and NeMo (Mistral AI, 2023-2024): a width of heads of its own, no biases; where its window is no limit. */
export const mistral: Family = {
  modelType: 'mistral',
  alsoKnownAs: 'Mistral-NeMo',
  architecture: 'MistralForCausalLM',
  defaults: { max_position_embeddings: 131_072, num_key_value_heads: 8, sliding_window: 4096 },
  features: () => ({ attentionInputBias: false, attentionOutputBias: false, mlpBias: false }),
  refusal: ({ sliding_window: window, max_position_embeddings: longest = 131_072 }) =>
    window && window < longest
      ? `sliding_window ${window} is below max_position_embeddings ${longest}: sliding-window attention is not ` +
        'supported; null and a lower max_position_embeddings give a model for sequences as long as the window'
      : undefined,
  newSettings: ({ hiddenSize, numHeads }) => ({ head_dim: hiddenSize / numHeads, sliding_window: null }),
};
