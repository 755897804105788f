import { gatedKernels } from '../../torch/kernels/gated.js';

export const kernels = gatedKernels('SwiGlu', { activation: 'silu', backward: 'silu_backward' });
