import type { Family } from './family.js';
import { qwenWindows } from './windows.js';

/** Qwen2 and Qwen2.5 (Alibaba, 2024): queries, keys and values have a bias, nothing else has. */
export const qwen2: Family = {
  modelType: 'qwen2',
  alsoKnownAs: 'Qwen2.5',
  architecture: 'Qwen2ForCausalLM',
  defaults: { max_position_embeddings: 32768 },
  features: () => ({ attentionInputBias: true, attentionOutputBias: false, mlpBias: false }),
  windows: qwenWindows,
};
