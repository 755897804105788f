import { gatedKernels } from '../../webgpu/kernels/gated.js';
import functions from './swiglu.wgsl';

export const kernels = gatedKernels('SwiGlu', functions);
