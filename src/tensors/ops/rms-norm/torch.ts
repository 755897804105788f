import type * as tf from '../../tf.js';
import type { TorchBackend } from '../../torch/backend.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import { agree, as, inFloat32 } from '../../torch/kernels/types.js';
import type { Handle } from '../../torch/library.js';
import type { Torch } from '../../torch/torch.js';

/** 1 / √(mean x² + ε) of each row, in float32: [n, 1]. */
function inverseRms(backend: TorchBackend, x: Handle, epsilon: number): Handle {
  const { torch } = backend;
  const mean = torch.call('mean.dim', torch.call('mul.Tensor', x, x), [1], true, null);
  return torch.call('rsqrt', torch.add(mean, torch.full([], epsilon, 'float32')));
}

function rmsNorm({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { x, weight } = inputs as Record<'x' | 'weight', tf.TensorInfo>;
  const { torch } = backend;
  const epsilon = attrs.epsilon as number;
  if (hasFusedNorm(torch)) return fusedNorm(backend, x, weight, epsilon);
  return backend.run(x.shape, 'float32', () => {
    if ([x, weight].every((tensor) => backend.torchDtype(tensor) === 'float32')) {
      return torch.call('rms_norm', backend.handle(x), weight.shape, backend.handle(weight), epsilon);
    }
    const wide = inFloat32(backend, x);
    const scaled = torch.call('mul.Tensor', wide, inverseRms(backend, wide, epsilon));
    if (backend.torchDtype(weight) === 'float32') {
      return as(backend, torch.call('mul.Tensor', scaled, backend.handle(weight)), x);
    }
    // as transformers does for a weight in a narrow type: back to the narrow type first, then the weight
    return torch.call('mul.Tensor', ...agree(backend, as(backend, scaled, x), backend.handle(weight)));
  });
}

const RSTD = 'reciprocal of the root mean square';

/** One kernel instead of seven, where there is one for the gradient too. */
function hasFusedNorm(torch: Torch): boolean {
  return torch.usesCudaKernels && torch.knows('_fused_rms_norm') && torch.knows('_fused_rms_norm_backward');
}

/** A tensor in the type of another: the kernel takes both in one, and a wide weight is meant to be multiplied wide. */
const inTypeOf = (backend: TorchBackend, x: tf.TensorInfo, other: tf.TensorInfo): Handle =>
  as(backend, backend.handle(x), other);

/** What it finds of each row stays with x, for the gradient. */
function fusedNorm(
  backend: TorchBackend,
  x: tf.TensorInfo,
  weight: tf.TensorInfo,
  epsilon: number,
): tf.TensorInfo {
  const { torch } = backend;
  const shape = [x.shape[1] as number];
  const [y, rstd] = torch.tidy(() => {
    const input = inTypeOf(backend, x, weight);
    const results = torch.callAll('_fused_rms_norm', input, shape, backend.handle(weight), epsilon);
    return [as(backend, results[0] as Handle, x), results[1] as Handle];
  }) as [Handle, Handle];
  backend.keep(x, RSTD, rstd);
  return backend.adopt(y, x.shape, 'float32');
}

/** dx = r·g − x·r³·mean(x·g), with g = dy·weight and r = 1 / rms(x). */
function rmsNormGrad({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { dy, x, weight } = inputs as Record<'dy' | 'x' | 'weight', tf.TensorInfo>;
  const { torch } = backend;
  const mul = (a: Handle, b: Handle) => torch.call('mul.Tensor', a, b);
  const rstd = backend.find(x, RSTD);
  if (rstd !== undefined) {
    return backend.run(x.shape, 'float32', () => {
      // the gradient may come in float32 where x is narrow
      const grad = as(backend, as(backend, backend.handle(dy), x), weight);
      const shape = [x.shape[1] as number];
      const input = inTypeOf(backend, x, weight);
      const own = [input, shape, rstd, backend.handle(weight), [true, false]] as const;
      return as(backend, torch.callAll('_fused_rms_norm_backward', grad, ...own)[0] as Handle, x);
    });
  }
  return backend.run(x.shape, 'float32', () => {
    const wide = inFloat32(backend, x);
    const r = inverseRms(backend, wide, attrs.epsilon as number);
    const g = mul(inFloat32(backend, dy), inFloat32(backend, weight));
    const normed = mul(wide, r);
    const mean = torch.call('mean.dim', mul(normed, g), [1], true, null);
    return as(backend, mul(torch.add(g, mul(normed, mean), -1), r), x);
  });
}

export const kernels: Kernels = { RmsNorm: rmsNorm, RmsNormGrad: rmsNormGrad };
