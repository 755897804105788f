import { gatedKernels } from '../../wasm/kernels/gated.js';

export const kernels = gatedKernels('GeGlu');
