import type * as tf from '../../tf.js';
import { attentionKernel } from '../../torch/kernels/attention-kernel.js';
import { headsOf, keyView, queryView } from '../../torch/kernels/heads.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';
import { packedBackward, packedForward } from './torch-cuda.js';

/** Calls `f` for each sample that has rows. */
function forEachSegment(segments: Int32Array, f: (start: number, length: number) => void): void {
  for (let s = 0; s + 1 < segments.length; s++) {
    const start = segments[s] as number;
    const length = (segments[s + 1] as number) - start;
    if (length > 0) f(start, length);
  }
}

function packedAttention(call: KernelCall): tf.TensorInfo[] {
  const { inputs, attrs, backend } = call;
  const { q, k, v } = inputs as Record<'q' | 'k' | 'v', tf.TensorInfo>;
  const cuda = attentionKernel(backend.torch, backend.torchDtype(q), q.shape[2] as number);
  if (cuda) return packedForward(cuda, call);
  const { segments, scale } = attrs as { segments: Int32Array; scale: number };
  const [n] = q.shape as [number];
  const axes = headsOf(q, k.shape[1] as number);
  const { torch } = backend;
  const [out, logSumExp] = torch.tidy(() => {
    const output = torch.empty(q.shape, backend.torchDtype(q));
    const sums = torch.empty([n, axes.heads], 'float32');
    const { heads, keyHeads, group, headDim } = axes;
    forEachSegment(segments, (start, length) => {
      torch.tidy(() => {
        const [y, sum] = torch.callAll(
          '_scaled_dot_product_flash_attention_for_cpu',
          queryView(backend, q, axes, start, length),
          keyView(backend, k, axes, start, length),
          keyView(backend, v, axes, start, length),
          0,
          true,
          null,
          scale,
        ) as [Handle, Handle];
        const strides = [group * headDim, headDim, heads * headDim, 1];
        const at = start * heads * headDim;
        torch.copy(torch.view(output, [keyHeads, group, length, headDim], strides, at), y);
        torch.copy(torch.view(sums, [keyHeads, group, length], undefined, start * heads), sum);
        return undefined;
      });
    });
    return [output, sums];
  }) as [Handle, Handle];
  // the sums of a sample lie together, head by head: only the gradient reads them
  return [backend.adopt(out, q.shape, 'float32'), backend.adopt(logSumExp, [n, axes.heads], 'float32')];
}

function packedAttentionGrad(call: KernelCall): tf.TensorInfo[] {
  const { inputs, attrs, backend } = call;
  const { dy, q, k, v, out, logSumExp } = inputs as Record<
    'dy' | 'q' | 'k' | 'v' | 'out' | 'logSumExp',
    tf.TensorInfo
  >;
  const cuda = attentionKernel(backend.torch, backend.torchDtype(q), q.shape[2] as number);
  if (cuda) return packedBackward(cuda, call);
  const { segments, scale } = attrs as { segments: Int32Array; scale: number };
  const axes = headsOf(q, k.shape[1] as number);
  const { heads, keyHeads, group, headDim } = axes;
  const { torch } = backend;
  const gradients = torch.tidy(() => {
    const dtype = backend.torchDtype(q);
    const grad =
      backend.torchDtype(dy) === dtype ? backend.handle(dy) : torch.cast(backend.handle(dy), dtype);
    const dq = torch.empty(q.shape, dtype);
    const dk = torch.empty(k.shape, dtype);
    const dv = torch.empty(v.shape, dtype);
    forEachSegment(segments, (start, length) => {
      torch.tidy(() => {
        const [gq, gk, gv] = torch.callAll(
          '_scaled_dot_product_flash_attention_for_cpu_backward',
          torch.view(
            grad,
            [keyHeads, group, length, headDim],
            [group * headDim, headDim, heads * headDim, 1],
            start * heads * headDim,
          ),
          queryView(backend, q, axes, start, length),
          keyView(backend, k, axes, start, length),
          keyView(backend, v, axes, start, length),
          queryView(backend, out, axes, start, length),
          backend.view(logSumExp, [keyHeads, group, length], undefined, start * heads),
          0,
          true,
          null,
          scale,
        ) as [Handle, Handle, Handle];
        const strides = [group * headDim, headDim, heads * headDim, 1];
        const at = start * heads * headDim;
        torch.copy(torch.view(dq, [keyHeads, group, length, headDim], strides, at), gq);
        for (const [target, share] of [
          [dk, gk],
          [dv, gv],
        ] as const) {
          const sum = group === 1 ? share : torch.call('sum.dim_IntList', share, [1], true, null);
          const rows = [headDim, headDim, keyHeads * headDim, 1];
          torch.copy(
            torch.view(target, [keyHeads, 1, length, headDim], rows, start * keyHeads * headDim),
            sum,
          );
        }
        return undefined;
      });
    });
    return [dq, dk, dv];
  }) as [Handle, Handle, Handle];
  return [q, k, v].map((x, i) => backend.adopt(gradients[i] as Handle, x.shape, 'float32'));
}

export const kernels: Kernels = {
  PackedAttention: packedAttention,
  PackedAttentionGrad: packedAttentionGrad,
};
