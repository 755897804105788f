/** The operations that PyTorch has in one piece; of the others it runs the plain form. A line for each. */
export { kernels as adamw } from './adamw/torch.js';
export { kernels as cachedAttention } from './cached-attention/torch.js';
export { kernels as dropout } from './dropout/torch.js';
export { kernels as geGlu } from './geglu/torch.js';
export { kernels as globalNorm } from './global-norm/torch.js';
export { kernels as headLogProbs } from './head-log-probs/torch.js';
export { kernels as kvCacheCopy } from './kv-cache-copy/torch.js';
export { kernels as kvCacheWrite } from './kv-cache-write/torch.js';
export { kernels as linear } from './linear/torch.js';
export { kernels as lowRankSum } from './low-rank-sum/torch.js';
export { kernels as packedAttention } from './packed-attention/torch.js';
export { kernels as quantizedLinear } from './quantized-linear/torch.js';
export { kernels as rmsNorm } from './rms-norm/torch.js';
export { kernels as rotaryEmbedding } from './rotary-embedding/torch.js';
export { kernels as roundedBlocks } from './rounded-blocks/torch.js';
export { kernels as scoreColumns } from './score-columns/torch.js';
export { kernels as swiglu } from './swiglu/torch.js';
