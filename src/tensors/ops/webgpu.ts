/** The operations that the WebGPU backend has in one piece; of the others it runs the plain form. A line for each. */
export { kernels as adamw } from './adamw/webgpu.js';
export { kernels as cachedAttention } from './cached-attention/webgpu.js';
export { kernels as dropout } from './dropout/webgpu.js';
export { kernels as geGlu } from './geglu/webgpu.js';
export { kernels as globalNorm } from './global-norm/webgpu.js';
export { kernels as headLogProbs } from './head-log-probs/webgpu.js';
export { kernels as kvCacheCopy } from './kv-cache-copy/webgpu.js';
export { kernels as kvCacheWrite } from './kv-cache-write/webgpu.js';
export { kernels as linear } from './linear/webgpu.js';
export { kernels as listArithmetic } from './list-arithmetic/webgpu.js';
export { kernels as packedAttention } from './packed-attention/webgpu.js';
export { kernels as quantizedLinear } from './quantized-linear/webgpu.js';
export { kernels as rmsNorm } from './rms-norm/webgpu.js';
export { kernels as rotaryEmbedding } from './rotary-embedding/webgpu.js';
export { kernels as roundedBlocks } from './rounded-blocks/webgpu.js';
export { kernels as scoreColumns } from './score-columns/webgpu.js';
export { kernels as swiglu } from './swiglu/webgpu.js';
