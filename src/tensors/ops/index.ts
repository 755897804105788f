/**
 * The named kernels: what a backend may implement in one piece because that is much faster. Each is a
 * function that runs the backend's kernel when it has one, and plain tfjs operations otherwise; both are
 * differentiable. A backend registers them with `tf.registerKernel`.
 *
 * | kernel | inputs → outputs | attributes |
 * |---|---|---|
 * | Linear | x [n, in], weight [out, in], bias? [out] → [n, out] | |
 * | FrozenLinear | like Linear, with no gradient for the weight | mayPack |
 * | LowRankSum | x [n, in], a [in, Σ rank], for each term i: sumᵢ [n, outᵢ] in place, bᵢ [rankᵢ, outᵢ], factorᵢ? [outᵢ] → [0] | terms |
 * | QuantizedLinear | x [n, in], words int32 [out, in / 4], scales [out], bias? [out] → [n, out] | |
 * | QuantizedLinearGrad | dy [n, out], words, scales → [n, in] | |
 * | Dequantize | words, scales → [out, in] | |
 * | RmsNorm | x [n, d], weight [d] → [n, d] | epsilon |
 * | RmsNormGrad | dy, x, weight → dx | epsilon |
 * | RotaryEmbedding | x [n, heads, headDim], cos, sin [n, headDim / 2] → like x | |
 * | RotaryEmbeddingInverse | like RotaryEmbedding, by the opposite angles | |
 * | SwiGlu | gate, up [n, f] → [n, f] | |
 * | SwiGluGrad | dy, gate, up → dgate, dup | |
 * | GeGlu | gate, up [n, f] → [n, f] | |
 * | GeGluGrad | dy, gate, up → dgate, dup | |
 * | PackedAttention | q [n, H, D], k, v [n, Hkv, D] → out [n, H, D], logSumExp [n, H] | segments, scale, window?, softCap? |
 * | PackedAttentionGrad | dy, q, k, v, out, logSumExp → dq, dk, dv | segments, scale, window?, softCap? |
 * | HeadLogProbs | hidden [r, d], head [V, d], labels int32 [r] → logProbs [r], jacobian [r, d] | softCap? |
 * | AdamW | a list p, g, m, v, p, … of tensors, written in place → [0] | lr, beta1, beta2, epsilon, weightDecay, step |
 * | ScaleEach | a list of tensors, written in place → [0] | factor |
 * | AddEach | a list of pairs x, y, x, … of tensors, y added to x in place → [0] | |
 * | KvCacheCopy | cache [slots, Hkv, maxLength, D] in place → [0] | from, to, start, end |
 * | KvCacheWrite | cache [slots, Hkv, maxLength, D] in place, rows [n, Hkv, D], slots, positions int32 [n] → [0] | |
 * | CachedAttention | q [n, H, D], keys, values (caches), slots, lengths int32 [n] → [n, H, D] | scale, window?, softCap? |
 * | ScoreColumns | logits [r, V], columns int32 [r, k] → [r, k + 1], the last column the log-sum-exp of the row | |
 * | RoundBlocks | x → words int32 [blocks · 64], scales [blocks] | kind |
 * | WholeBlocks | words, scales → [shape] | shape, kind |
 * | Dropout | x → like x | rate, seed |
 * | GlobalNorm | a list of tensors → [] | |
 */
export { type AdamWOptions, adamW } from './adamw/adamw.js';
export { cachedAttention } from './cached-attention/cached-attention.js';
export { dropout, dropoutName } from './dropout/dropout.js';
export { embedding } from './embedding/embedding.js';
export { geGlu } from './geglu/geglu.js';
export { globalNorm } from './global-norm/global-norm.js';
export { assertLabels, headLogProbs } from './head-log-probs/head-log-probs.js';
export { kvCacheCopy } from './kv-cache-copy/kv-cache-copy.js';
export { kvCacheWrite } from './kv-cache-write/kv-cache-write.js';
export { frozenLinear, linear, project } from './linear/linear.js';
export { addEach, scaleEach } from './list-arithmetic/list-arithmetic.js';
export { hasLowRankSum, type LowRankTerm, lowRankSum } from './low-rank-sum/low-rank-sum.js';
export { hasKernel, withPlainKernels } from './named.js';
export { type AttentionLimits, packedAttention } from './packed-attention/packed-attention.js';
export {
  dequantize,
  type QuantizedMatrix,
  quantizedBytes,
  quantizedLinear,
  quantizeRows,
} from './quantized-linear/quantized-linear.js';
export { rmsNorm } from './rms-norm/rms-norm.js';
export { rotaryEmbedding } from './rotary-embedding/rotary-embedding.js';
export {
  type RoundedBlocks,
  type RoundedKind,
  roundBlocks,
  wholeBlocks,
} from './rounded-blocks/rounded-blocks.js';
export { scoreColumns } from './score-columns/score-columns.js';
export { softCapped } from './soft-cap/soft-cap.js';
export { swiGlu } from './swiglu/swiglu.js';
