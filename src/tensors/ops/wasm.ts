/** The operations that the WebAssembly backend has in one piece; of the others it runs the plain form. A line for each. */
export { kernels as adamw } from './adamw/wasm.js';
export { kernels as cachedAttention } from './cached-attention/wasm.js';
export { kernels as dropout } from './dropout/wasm.js';
export { kernels as geGlu } from './geglu/wasm.js';
export { kernels as headLogProbs } from './head-log-probs/wasm.js';
export { kernels as kvCacheCopy } from './kv-cache-copy/wasm.js';
export { kernels as kvCacheWrite } from './kv-cache-write/wasm.js';
export { kernels as linear } from './linear/wasm.js';
export { kernels as packedAttention } from './packed-attention/wasm.js';
export { kernels as rmsNorm } from './rms-norm/wasm.js';
export { kernels as rotaryEmbedding } from './rotary-embedding/wasm.js';
export { kernels as swiglu } from './swiglu/wasm.js';
