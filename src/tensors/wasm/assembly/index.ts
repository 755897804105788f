/** All kernels of the wasm backend. Every export ends in (begin, end[, scratch]): see threads.ts. */
export { gemm, packB } from './gemm';
export { gemmFewRows, gemmFewRowsPlain } from './gemm-few-rows';
export * from './elementwise';
export * from './movement';
export * from './reduce';
export * from './decoder';
export { attention, attentionGrad, sumGroups } from './attention';
export { cachedAttention } from './cached-attention';
