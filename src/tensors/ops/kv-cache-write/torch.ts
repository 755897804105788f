import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';

function kvCacheWrite({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { cache, rows, slots, positions } = inputs as Record<
    'cache' | 'rows' | 'slots' | 'positions',
    tf.TensorInfo
  >;
  const { torch } = backend;
  torch.tidy(() => {
    const index = (tensor: tf.TensorInfo) =>
      backend.kept(tensor, 'int64', () => torch.cast(backend.handle(tensor), 'int64'));
    const dtype = backend.torchDtype(cache);
    const values =
      backend.torchDtype(rows) === dtype ? backend.handle(rows) : torch.cast(backend.handle(rows), dtype);
    torch.call('index_put_', backend.handle(cache), [index(slots), null, index(positions)], values, false);
    return undefined;
  });
  return backend.run([0], 'float32', () => torch.empty([0], 'float32'));
}

export const kernels: Kernels = { KvCacheWrite: kvCacheWrite };
