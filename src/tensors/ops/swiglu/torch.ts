import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';

function swiGlu({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { gate, up } = inputs as Record<'gate' | 'up', tf.TensorInfo>;
  const { torch } = backend;
  return backend.run(gate.shape, 'float32', () =>
    torch.call('mul_.Tensor', torch.call('silu', backend.handle(gate)), backend.handle(up)),
  );
}

function swiGluGrad({ inputs, backend }: KernelCall): tf.TensorInfo[] {
  const { dy, gate, up } = inputs as Record<'dy' | 'gate' | 'up', tf.TensorInfo>;
  const { torch } = backend;
  const [d, g, u] = [dy, gate, up];
  const mul = (a: Handle, b: Handle) => torch.call('mul.Tensor', a, b);
  return [
    backend.run(g.shape, 'float32', () =>
      torch.call('silu_backward', mul(backend.handle(d), backend.handle(u)), backend.handle(g)),
    ),
    backend.run(g.shape, 'float32', () => mul(backend.handle(d), torch.call('silu', backend.handle(g)))),
  ];
}

export const kernels: Kernels = { SwiGlu: swiGlu, SwiGluGrad: swiGluGrad };
