import type * as tf from '../../tf.js';
import type { TorchBackend } from '../../torch/backend.js';
import type { AttentionKernel } from '../../torch/kernels/attention-kernel.js';
import type { KernelCall } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';
import type { Torch } from '../../torch/torch.js';
import { longest } from './packed-attention.js';

/** Torch's numbers for masks of its memory-efficient kernel. */
const CAUSAL_FROM_TOP_LEFT = 1;

/** What the backward pass needs besides q, k, v, out and the sums: handles of the forward pass, kept with the sums. */
const STATE = ['first state', 'second state'] as const;

/** How many keys to the left and right of a query the flash kernel lets it see, itself not counted. */
export const flashWindow = (window: number | undefined): [left: number | null, right: number | null] =>
  window === undefined ? [null, null] : [window - 1, 0];

/** Attention inside of each sample, and the sums that its gradient needs, in the kernel's own layout. */
export function packedForward(
  kernel: AttentionKernel,
  { inputs, attrs, backend }: KernelCall,
): tf.TensorInfo[] {
  const { q, k, v } = inputs as Record<'q' | 'k' | 'v', tf.TensorInfo>;
  const { segments, scale, window } = attrs as { segments: Int32Array; scale: number; window?: number };
  const { torch } = backend;
  const most = longest(segments);
  const [out, sums, first, second] = torch.tidy(() => {
    const bounds = backend.resident(segments);
    if (kernel === 'flash') {
      const [y, lse, rng, unused] = torch.callAll(
        '_flash_attention_forward',
        backend.handle(q),
        backend.handle(k),
        backend.handle(v),
        bounds,
        bounds,
        most,
        most,
        0,
        true,
        false,
        scale,
        ...flashWindow(window),
      ) as [Handle, Handle, Handle, Handle];
      return [torch.rowMajor(y), lse, rng, unused];
    }
    const [y, lse, seed, offset] = torch.callAll(
      '_efficient_attention_forward',
      rows(backend, q),
      repeated(backend, k, q),
      repeated(backend, v, q),
      null,
      bounds,
      bounds,
      most,
      most,
      0,
      CAUSAL_FROM_TOP_LEFT,
      true,
      scale,
      null,
      window ?? null,
    ) as [Handle, Handle, Handle, Handle];
    return [torch.view(torch.rowMajor(y), q.shape), lse, seed, offset];
  }) as [Handle, Handle, Handle, Handle];
  const logSumExp = backend.adopt(sums, torch.shapeOf(sums), 'float32');
  backend.keep(logSumExp, STATE[0], first);
  backend.keep(logSumExp, STATE[1], second);
  return [backend.adopt(out, q.shape, 'float32'), logSumExp];
}

/** The gradients of {@link packedForward}. */
export function packedBackward(
  kernel: AttentionKernel,
  { inputs, attrs, backend }: KernelCall,
): tf.TensorInfo[] {
  const { dy, q, k, v, out, logSumExp } = inputs as Record<
    'dy' | 'q' | 'k' | 'v' | 'out' | 'logSumExp',
    tf.TensorInfo
  >;
  const { segments, scale, window } = attrs as { segments: Int32Array; scale: number; window?: number };
  const { torch } = backend;
  const most = longest(segments);
  const [first, second] = STATE.map((name) => backend.find(logSumExp, name)) as [Handle, Handle];
  const gradients = torch.tidy(() => {
    const bounds = backend.resident(segments);
    const type = backend.torchDtype(q);
    const grad = backend.torchDtype(dy) === type ? backend.handle(dy) : torch.cast(backend.handle(dy), type);
    if (kernel === 'flash') {
      return torch
        .callAll(
          '_flash_attention_backward',
          grad,
          backend.handle(q),
          backend.handle(k),
          backend.handle(v),
          backend.handle(out),
          backend.handle(logSumExp),
          bounds,
          bounds,
          most,
          most,
          0,
          true,
          first,
          second,
          scale,
          ...flashWindow(window),
        )
        .map((gradient) => torch.rowMajor(gradient));
    }
    const [dq, dk, dv] = torch.callAll(
      '_efficient_attention_backward',
      torch.view(grad, [1, ...q.shape]),
      rows(backend, q),
      repeated(backend, k, q),
      repeated(backend, v, q),
      null,
      rows(backend, out),
      bounds,
      bounds,
      most,
      most,
      backend.handle(logSumExp),
      0,
      first,
      second,
      CAUSAL_FROM_TOP_LEFT,
      false,
      scale,
      null,
      window ?? null,
      false,
    ) as [Handle, Handle, Handle];
    return [torch.view(torch.rowMajor(dq), q.shape), folded(torch, dk, k, q), folded(torch, dv, v, q)];
  }) as [Handle, Handle, Handle];
  return [q, k, v].map((x, i) => backend.adopt(gradients[i] as Handle, x.shape, 'float32'));
}

/** [n, H, D] → [1, n, H, D]. */
function rows(backend: TorchBackend, x: tf.TensorInfo): Handle {
  return backend.view(x, [1, ...x.shape]);
}

/** A key head for every query head: [n, Hkv, D] → [1, n, H, D]. */
function repeated(backend: TorchBackend, k: tf.TensorInfo, q: tf.TensorInfo): Handle {
  const [n, keyHeads, headDim] = k.shape as [number, number, number];
  const heads = q.shape[1] as number;
  if (heads === keyHeads) return rows(backend, k);
  const shape = [n, keyHeads, heads / keyHeads, headDim];
  const spread = backend.view(k, shape, [keyHeads * headDim, headDim, 0, 1]);
  const copy = backend.torch.contiguous(spread, shape, backend.torchDtype(k));
  return backend.torch.view(copy, [1, n, heads, headDim]);
}

/** The inverse of {@link repeated} for gradients: the sum over the query heads of a group. */
function folded(torch: Torch, gradient: Handle, k: tf.TensorInfo, q: tf.TensorInfo): Handle {
  const [n, keyHeads, headDim] = k.shape as [number, number, number];
  const group = (q.shape[1] as number) / keyHeads;
  const whole = torch.rowMajor(gradient);
  if (group === 1) return torch.view(whole, k.shape);
  return torch.call('sum.dim_IntList', torch.view(whole, [n, keyHeads, group, headDim]), [2], false, null);
}
