import type { FloatType } from '../../precision.js';
import * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import { type Program, programFor } from '../../webgpu/program.js';
import roundingCode from '../../webgpu/rounding.wgsl';
import { inFloat32 } from '../../webgpu/widen.js';
import code from './kv-cache-write.wgsl';

const WHOLE = 'fn wordOf(i: u32) -> u32 { return rows[i]; }\n';
const PAIR =
  'fn wordOf(i: u32) -> u32 { return halfOf(rows[2u * i]) | (halfOf(rows[2u * i + 1u]) << 16u); }\n';

const programs = programFor(
  (type: FloatType): Program => ({
    name: `KvCacheWrite ${type}`,
    code: type === 'float32' ? `${WHOLE}${code}` : `${roundingCode}${PAIR}${code}`,
    buffers: 'wrrr',
    over: 'elements',
    ...(type === 'float32' ? {} : { constants: { BFLOAT16: type === 'bfloat16' ? 1 : 0 } }),
    takesNarrow: true,
  }),
);

function kvCacheWrite({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { cache, rows, slots, positions } = inputs as Record<
    'cache' | 'rows' | 'slots' | 'positions',
    tf.TensorInfo
  >;
  const [slotCount, heads, length, width] = cache.shape as [number, number, number, number];
  const type = backend.floatType(cache);
  const perWord = type === 'float32' ? 1 : 2;
  const size = tf.util.sizeFromShape(rows.shape) / perWord;
  inFloat32(backend, rows, (wide) => {
    const numbers = [size, slotCount, heads, length, width / perWord];
    backend.run(programs(type), [cache, wide, slots, positions], numbers, []);
  });
  return backend.makeOutput([0]);
}

export const kernels: Kernels = { KvCacheWrite: kvCacheWrite };
