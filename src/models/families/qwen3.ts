import type { Family } from './family.js';
import { qwenWindows } from './windows.js';

/** Qwen3 (Alibaba, 2025): norms of each head's queries and keys, a width of heads of its own, no biases. */
export const qwen3: Family = {
  modelType: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  defaults: { max_position_embeddings: 32768, num_key_value_heads: 32, head_dim: 128 },
  features: ({ attention_bias: bias = false }) => ({
    attentionInputBias: bias,
    attentionOutputBias: bias,
    mlpBias: false,
    queryKeyNorm: true,
  }),
  windows: qwenWindows,
  newSettings: ({ hiddenSize, numHeads }) => ({ head_dim: hiddenSize / numHeads }),
};
