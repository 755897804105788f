/** Kernels of tfjs's own operations that the hot path needs in another form than tfjs's. A line for each. */
export { kernels as addN } from './add-n.js';
export { kernels as arithmetic } from './arithmetic.js';
export { kernels as cast } from './cast.js';
export { kernels as fill } from './fill.js';
export { kernels as gather } from './gather.js';
export { kernels as matmul } from './matmul.js';
export { kernels as movement } from './movement.js';
export { kernels as narrow } from './narrow.js';
export { kernels as reductions } from './reductions.js';
export { kernels as scatter } from './scatter.js';
export { kernels as select } from './select.js';
export { kernels as softmax } from './softmax.js';
export { kernels as topK } from './top-k.js';
export { kernels as trigonometry } from './trigonometry.js';
