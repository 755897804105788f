import * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import { inFloat32 } from '../../torch/kernels/types.js';
import type { Handle } from '../../torch/library.js';

/** Σ x² of each tensor in one operation, and the root of their sum. */
function globalNorm({ inputs, backend }: KernelCall): tf.TensorInfo {
  const tensors = inputs as unknown as tf.TensorInfo[];
  const { torch } = backend;
  const squares = (tensor: tf.TensorInfo): Handle =>
    torch.tidy(() => {
      const flat = torch.view(inFloat32(backend, tensor), [tf.util.sizeFromShape(tensor.shape)]);
      return torch.view(torch.call('dot', flat, flat), [1]);
    });
  return backend.run([], 'float32', () => {
    const sum = torch.call('sum.dim_IntList', torch.call('cat', tensors.map(squares), 0), [0], false, null);
    return torch.call('sqrt', sum);
  });
}

export const kernels: Kernels = { GlobalNorm: globalNorm };
