import type * as tf from '../../tf.js';
import type { KernelImplementation, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';

const linear: KernelImplementation = ({ inputs, backend }) => {
  const { x, weight, bias } = inputs as Record<'x' | 'weight' | 'bias', tf.TensorInfo>;
  const shape = [x.shape[0] as number, weight.shape[0] as number];
  return backend.run(shape, 'float32', () => {
    const { torch } = backend;
    const dtype = backend.torchDtype(x);
    const like = (tensor: tf.TensorInfo): Handle =>
      backend.torchDtype(tensor) === dtype
        ? backend.handle(tensor)
        : torch.cast(backend.handle(tensor), dtype);
    return torch.call('linear', backend.handle(x), like(weight), bias ? like(bias) : null);
  });
};
const frozenLinear: KernelImplementation = (call) => {
  const { backend } = call;
  const { x, weight, bias } = call.inputs as Record<'x' | 'weight' | 'bias', tf.TensorInfo>;
  const float32 = [x, weight, bias].every((tensor) => !tensor || backend.torchDtype(tensor) === 'float32');
  const packed = float32 && call.attrs.mayPack && x.shape[0] ? backend.packed(weight) : undefined;
  if (packed === undefined) return linear(call);
  return backend.run([x.shape[0] as number, weight.shape[0] as number], 'float32', () =>
    backend.torch.linearPacked(backend.handle(x), packed, bias ? backend.handle(bias) : null),
  );
};

export const kernels: Kernels = { Linear: linear, FrozenLinear: frozenLinear };
