import type { Family } from './family.js';
import { oneWindow, oneWindowRefusal } from './windows.js';

/**
 * Mistral, NeMo and Ministral (Mistral AI, 2023-2024): a width of heads of its own, no biases, and in some of them the
 * same window in every layer.
 */
export const mistral: Family = {
  modelType: 'mistral',
  alsoKnownAs: 'Mistral-NeMo',
  architecture: 'MistralForCausalLM',
  defaults: { max_position_embeddings: 131_072, num_key_value_heads: 8, sliding_window: 4096 },
  features: () => ({ attentionInputBias: false, attentionOutputBias: false, mlpBias: false }),
  windows: oneWindow,
  refusal: oneWindowRefusal,
  newSettings: ({ hiddenSize, numHeads }) => ({ head_dim: hiddenSize / numHeads, sliding_window: null }),
};
