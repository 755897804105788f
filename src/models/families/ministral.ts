import type { Family } from './family.js';

/** Ministral 8B (Mistral AI, 2024): as Mistral, with a window in the layers that are named. */
export const ministral: Family = {
  modelType: 'ministral',
  architecture: 'MinistralForCausalLM',
  defaults: { max_position_embeddings: 131_072, num_key_value_heads: 8, sliding_window: 4096 },
  features: () => ({ attentionInputBias: false, attentionOutputBias: false, mlpBias: false }),
  windows: ({ sliding_window: window }) => ({ window, hasWindow: () => window != null }),
  newSettings: ({ hiddenSize, numHeads }) => ({ head_dim: hiddenSize / numHeads, sliding_window: null }),
};
