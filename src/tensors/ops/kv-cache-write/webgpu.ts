import * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import code from './kv-cache-write.wgsl';

const program: Program = { name: 'KvCacheWrite', code, buffers: 'wrrr', over: 'elements' };

function kvCacheWrite({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { cache, rows, slots, positions } = inputs as Record<
    'cache' | 'rows' | 'slots' | 'positions',
    tf.TensorInfo
  >;
  const size = tf.util.sizeFromShape(rows.shape);
  const tensors = [cache, rows, slots, positions];
  backend.run(program, tensors, [size, ...cache.shape], []);
  return backend.makeOutput([0]);
}

export const kernels: Kernels = { KvCacheWrite: kvCacheWrite };
