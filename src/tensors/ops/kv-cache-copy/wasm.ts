import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';
import type { CopiedRange } from './kv-cache-copy.js';

/** The positions of a head lie side by side. */
function kvCacheCopy({ inputs, attrs, backend }: KernelCall) {
  const { from, to, start, end } = attrs as unknown as CopiedRange;
  const cache = inputs.cache!;
  const [, heads, maxLength, headDim] = cache.shape as [number, number, number, number];
  const values = backend.view(cache);
  for (let head = 0; head < heads; head++) {
    const at = (slot: number) => ((slot * heads + head) * maxLength + start) * headDim;
    values.copyWithin(at(to), at(from), at(from) + (end - start) * headDim);
  }
  return backend.makeOutput([0], 'float32');
}

export const kernels: Kernels = { KvCacheCopy: kvCacheCopy };
