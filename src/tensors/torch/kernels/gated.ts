import type * as tf from '../../tf.js';
import type { Handle } from '../library.js';
import type { OperationName } from '../schemas.js';
import type { Kernels } from './register.js';

/** The kernels of a gated unit, activation(gate) · up, and of its gradient, by torch's operations of the activation. */
export function gatedKernels(
  name: string,
  { activation, backward }: Record<'activation' | 'backward', OperationName>,
  /** What the activation is told beside its input. */
  ...settings: string[]
): Kernels {
  return {
    [name]({ inputs, backend }) {
      const { gate, up } = inputs as Record<'gate' | 'up', tf.TensorInfo>;
      const { torch } = backend;
      return backend.run(gate.shape, 'float32', () => {
        const activated = torch.call(activation, backend.handle(gate), ...settings);
        return torch.call('mul_.Tensor', activated, backend.handle(up));
      });
    },
    [`${name}Grad`]({ inputs, backend }) {
      const { dy, gate, up } = inputs as Record<'dy' | 'gate' | 'up', tf.TensorInfo>;
      const { torch } = backend;
      const mul = (a: Handle, b: Handle) => torch.call('mul.Tensor', a, b);
      return [
        backend.run(gate.shape, 'float32', () => {
          const own = mul(backend.handle(dy), backend.handle(up));
          return torch.call(backward, own, backend.handle(gate), ...settings);
        }),
        backend.run(gate.shape, 'float32', () =>
          mul(backend.handle(dy), torch.call(activation, backend.handle(gate), ...settings)),
        ),
      ];
    },
  };
}
