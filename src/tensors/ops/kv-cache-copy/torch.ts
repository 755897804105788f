import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { CopiedRange } from './kv-cache-copy.js';

/** One copy between two views of the cache. */
function kvCacheCopy({ inputs, attrs, backend }: KernelCall) {
  const { from, to, start, end } = attrs as unknown as CopiedRange;
  const cache = inputs.cache!;
  const [, heads, maxLength, headDim] = cache.shape as [number, number, number, number];
  const { torch } = backend;
  torch.tidy(() => {
    const shape = [heads, end - start, headDim];
    const strides = [maxLength * headDim, headDim, 1];
    const view = (slot: number) =>
      backend.view(cache, shape, strides, (slot * heads * maxLength + start) * headDim);
    torch.copy(view(to), view(from));
    return undefined;
  });
  return backend.run([0], 'float32', () => torch.empty([0], 'float32'));
}

export const kernels: Kernels = { KvCacheCopy: kvCacheCopy };
