import { gatedKernels } from '../../torch/kernels/gated.js';

/** With torch's name of the approximation. */
export const kernels = gatedKernels('GeGlu', { activation: 'gelu', backward: 'gelu_backward' }, 'tanh');
