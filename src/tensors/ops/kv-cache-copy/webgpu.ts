import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import type { CopiedRange } from './kv-cache-copy.js';
import code from './kv-cache-copy.wgsl';

const program: Program = { name: 'KvCacheCopy', code, buffers: 'w', over: 'elements', takesNarrow: true };

function kvCacheCopy({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { from, to, start, end } = attrs as unknown as CopiedRange;
  const cache = inputs.cache!;
  const [, heads, length, columns] = cache.shape as [number, number, number, number];
  const width = backend.floatType(cache) === 'float32' ? columns : columns / 2;
  const count = end - start;
  const size = heads * count * width;
  const numbers = [size, from, to, start, count, heads, length, width];
  backend.run(program, [cache], numbers, []);
  return backend.makeOutput([0]);
}

export const kernels: Kernels = { KvCacheCopy: kvCacheCopy };
