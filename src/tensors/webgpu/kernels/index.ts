/** Kernels of tfjs's own operations that the hot path needs in another form than tfjs's. A line for each. */
export { kernels as addN } from './add-n.js';
export { kernels as cast } from './cast.js';
export { kernels as gather } from './gather.js';
export { kernels as matmul } from './matmul.js';
export { kernels as reductions } from './reductions.js';
export { kernels as scatter } from './scatter.js';
export { kernels as slice } from './slice.js';
export { kernels as trigonometry } from './trigonometry.js';
