/** The parts of a block that have weights. */
export type BlockPart =
  | 'inputNorm'
  | 'query'
  | 'key'
  | 'value'
  | 'queryKeyValue'
  | 'queryNorm'
  | 'keyNorm'
  | 'output'
  | 'attentionOutputNorm'
  | 'feedForwardNorm'
  | 'gate'
  | 'up'
  | 'gateUp'
  | 'down'
  | 'feedForwardOutputNorm';

/** What a model's files call its parts; `.weight` and `.bias` follow. */
export interface WeightNames {
  embeddings: string;
  head: string;
  /** The norm after the last block. */
  norm: string;
  /** In front of the number of a block. */
  layers: string;
  /** Behind the number of a block. */
  block: Readonly<Record<BlockPart, string>>;
}

/** The names that Llama began with and that most families have. */
export const commonNames: WeightNames = {
  embeddings: 'model.embed_tokens',
  head: 'lm_head',
  norm: 'model.norm',
  layers: 'model.layers',
  block: {
    inputNorm: 'input_layernorm',
    query: 'self_attn.q_proj',
    key: 'self_attn.k_proj',
    value: 'self_attn.v_proj',
    queryKeyValue: 'self_attn.qkv_proj',
    queryNorm: 'self_attn.q_norm',
    keyNorm: 'self_attn.k_norm',
    output: 'self_attn.o_proj',
    attentionOutputNorm: 'post_self_attn_layernorm',
    feedForwardNorm: 'post_attention_layernorm',
    gate: 'mlp.gate_proj',
    up: 'mlp.up_proj',
    gateUp: 'mlp.gate_up_proj',
    down: 'mlp.down_proj',
    feedForwardOutputNorm: 'post_mlp_layernorm',
  },
};

/** The names of the two tables that have a row for each token: embeddings and head. */
export function vocabularyWeights({ names = commonNames }: { names?: WeightNames }): {
  embeddings: string;
  head: string;
} {
  return { embeddings: `${names.embeddings}.weight`, head: `${names.head}.weight` };
}
