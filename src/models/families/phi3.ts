import type { Family } from './family.js';
import { oneWindow, oneWindowRefusal } from './windows.js';

/**
 * Phi-3 and Phi-4-mini (Microsoft, 2024-2025): queries, keys and values in one matrix and gate and up in another, rope
 * scaling by length (LongRoPE), part of each head without rotary positions, and in some of them the same window in
 * every layer.
 */
export const phi3: Family = {
  modelType: 'phi3',
  alsoKnownAs: 'Phi-4-mini',
  architecture: 'Phi3ForCausalLM',
  defaults: { max_position_embeddings: 4096, original_max_position_embeddings: 4096, rms_norm_eps: 1e-5 },
  features: () => ({
    attentionInputBias: false,
    attentionOutputBias: false,
    mlpBias: false,
    fusedProjections: true,
  }),
  partialRotary: true,
  // what the first of its files called it
  ropeTypes: { su: 'longrope', yarn: 'longrope' },
  windows: oneWindow,
  refusal: oneWindowRefusal,
  // the defaults of transformers lie outside of small vocabularies
  newSettings: () => ({ pad_token_id: null }),
};
