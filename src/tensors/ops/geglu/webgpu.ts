import { gatedKernels } from '../../webgpu/kernels/gated.js';
import functions from './geglu.wgsl';

export const kernels = gatedKernels('GeGlu', functions);
