import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';

function kvCacheWrite({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { cache, rows, slots, positions } = inputs as Record<
    'cache' | 'rows' | 'slots' | 'positions',
    tf.TensorInfo
  >;
  const [slotCount, heads, maxLength, headDim] = cache.shape as [number, number, number, number];
  const n = rows.shape[0] as number;
  const slotOf = backend.view(slots);
  const positionOf = backend.view(positions);
  for (let i = 0; i < n; i++) {
    const [slot, position] = [slotOf[i] as number, positionOf[i] as number];
    if (slot < 0 || slot >= slotCount || position < 0 || position >= maxLength) {
      throw new Error(
        `kvCacheWrite: position ${position} of slot ${slot} is outside of a cache of ${slotCount} slots of ${maxLength}`,
      );
    }
  }
  const pointers = [cache, rows, slots, positions].map((tensor) => backend.pointer(tensor));
  const { runtime } = backend;
  const grain = Math.ceil(16384 / (heads * headDim));
  runtime.run(runtime.kernel('kvCacheWrite'), [...pointers, heads, maxLength, headDim], n, grain);
  return backend.makeOutput([0], 'float32');
}

export const kernels: Kernels = { KvCacheWrite: kvCacheWrite };
