import type * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';

/** One step of AdamW on a list p, g, m, v, p, …, written in place by one fused operation. */
function adamW({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const tensors = inputs as unknown as tf.TensorInfo[];
  const { lr, beta1, beta2, epsilon, weightDecay, step } = attrs as Record<
    'lr' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'step',
    number
  >;
  const { torch } = backend;
  torch.tidy(() => {
    const every = (offset: number) => tensors.filter((_, i) => i % 4 === offset);
    const params = every(0).map((tensor) => backend.handle(tensor));
    const gradients = every(1).map((tensor, i) =>
      backend.torchDtype(tensor) === torch.dtypeOf(params[i] as Handle)
        ? backend.handle(tensor)
        : torch.cast(backend.handle(tensor), torch.dtypeOf(params[i] as Handle)),
    );
    const [first, second] = [every(2), every(3)].map((list) => list.map((tensor) => backend.handle(tensor)));
    // torch counts the step itself, in a tensor per parameter that it reads after adding nothing
    const steps = params.map(() => torch.full([], step, 'float32'));
    torch.callAll(
      '_fused_adamw_',
      params,
      gradients,
      first as Handle[],
      second as Handle[],
      [],
      steps,
      lr,
      beta1,
      beta2,
      weightDecay,
      epsilon,
      false,
      false,
      null,
      null,
    );
    return undefined;
  });
  return backend.run([0], 'float32', () => torch.empty([0], 'float32'));
}

export const kernels: Kernels = { AdamW: adamW };
