import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';

/** Torch's name of the approximation. */
const APPROXIMATION = 'tanh';

function geGlu({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { gate, up } = inputs as Record<'gate' | 'up', tf.TensorInfo>;
  const { torch } = backend;
  return backend.run(gate.shape, 'float32', () =>
    torch.call('mul_.Tensor', torch.call('gelu', backend.handle(gate), APPROXIMATION), backend.handle(up)),
  );
}

function geGluGrad({ inputs, backend }: KernelCall): tf.TensorInfo[] {
  const { dy, gate, up } = inputs as Record<'dy' | 'gate' | 'up', tf.TensorInfo>;
  const { torch } = backend;
  const mul = (a: Handle, b: Handle) => torch.call('mul.Tensor', a, b);
  return [
    backend.run(gate.shape, 'float32', () => {
      const own = mul(backend.handle(dy), backend.handle(up));
      return torch.call('gelu_backward', own, backend.handle(gate), APPROXIMATION);
    }),
    backend.run(gate.shape, 'float32', () =>
      mul(backend.handle(dy), torch.call('gelu', backend.handle(gate), APPROXIMATION)),
    ),
  ];
}

export const kernels: Kernels = { GeGlu: geGlu, GeGluGrad: geGluGrad };
