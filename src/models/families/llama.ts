import { type Family, savedFrequencies } from './family.js';

/** Llama 1 to 3 (Meta, 2023-2024) and what was built like it: biases only where config.json says so. */
export const llama: Family = {
  modelType: 'llama',
  architecture: 'LlamaForCausalLM',
  defaults: { max_position_embeddings: 2048 },
  features: ({ attention_bias: attentionBias = false, mlp_bias: mlpBias = false }) => ({
    attentionInputBias: attentionBias,
    attentionOutputBias: attentionBias,
    mlpBias,
  }),
  harmlessWeights: savedFrequencies,
  newSettings: ({ hiddenSize, numHeads }) => ({ head_dim: hiddenSize / numHeads }),
};
