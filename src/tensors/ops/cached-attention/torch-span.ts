import type * as tf from '../../tf.js';
import type { TorchBackend } from '../../torch/backend.js';
import { attentionKernel } from '../../torch/kernels/attention-kernel.js';
import { cappedAttention } from '../../torch/kernels/capped-attention.js';
import { headsOf } from '../../torch/kernels/heads.js';
import type { KernelCall } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';
import { flashWindow } from '../packed-attention/torch-cuda.js';

/** 0 … n − 1: made once, and on the device as long as the program runs. */
const ranges = new Map<number, Int32Array>();

function range(backend: TorchBackend, length: number): Handle {
  let values = ranges.get(length);
  if (!values) {
    values = Int32Array.from({ length }, (_, i) => i);
    ranges.set(length, values);
  }
  return backend.resident(values);
}

/**
 * Attention of one row of each of some slots, which sees at most `span` positions. Slots and lengths are looked at on
 * the device alone, so that the same operations serve any of them (in a CUDA graph).
 */
export function spanAttention({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { q, keys, values, slots, lengths } = inputs as Record<
    'q' | 'keys' | 'values' | 'slots' | 'lengths',
    tf.TensorInfo
  >;
  const { scale, softCap, span } = attrs as { scale: number; softCap?: number; span: number };
  const asked = attrs.window as number | undefined;
  const window = asked !== undefined && asked < span ? asked : undefined;
  const [slotCount, keyHeads, maxLength] = keys.shape as [number, number, number, number];
  const { heads, group, headDim } = headsOf(q, keyHeads);
  const { torch } = backend;
  const n = q.shape[0] as number;
  const dtype = backend.torchDtype(q);
  const kept = (name: string, make: () => Handle): Handle =>
    backend.kept(lengths, `span ${name} ${window ?? ''} ${span}`, make);
  if (softCap === undefined && attentionKernel(torch, dtype, headDim) === 'flash') {
    return backend.run(q.shape, 'float32', () => {
      const shape = [(slotCount - 1) * keyHeads * maxLength + maxLength, keyHeads, headDim];
      const strides = [headDim, maxLength * headDim, 1];
      const starts = kept('starts', () => {
        const firsts = torch.call(
          'mul.Tensor',
          backend.handle(slots),
          torch.full([], keyHeads * maxLength, 'int32'),
        );
        // the last number is not read
        return torch.call('cat', [firsts, torch.full([1], 0, 'int32')], 0);
      });
      const [y] = torch.callAll(
        '_flash_attention_forward',
        backend.handle(q),
        backend.view(keys, shape, strides),
        backend.view(values, shape, strides),
        range(backend, n + 1),
        starts,
        1,
        span,
        0,
        true,
        false,
        scale,
        ...flashWindow(window),
        backend.handle(lengths),
      ) as [Handle];
      return torch.view(torch.rowMajor(y), q.shape);
    });
  }
  return backend.run(q.shape, 'float32', () => {
    const shape = [n, keyHeads, group, headDim];
    const cached = (cache: tf.TensorInfo): Handle => {
      const steps = [keyHeads * maxLength * headDim, maxLength * headDim, headDim, 1];
      const all = backend.view(cache, [slotCount, keyHeads, span, headDim], steps);
      return torch.call('index_select', all, 0, backend.handle(slots));
    };
    const maskType = softCap === undefined ? dtype : 'float32';
    const mask = kept(`mask ${maskType}`, () => {
      const places = torch.view(range(backend, span), [1, span]);
      const ends = backend.view(lengths, [n, 1]);
      let seen = torch.call('lt.Tensor', places, ends);
      if (window !== undefined) {
        const firsts = torch.addIntegers(ends, torch.full([1], window, 'int32'), -1);
        seen = torch.call('logical_and', seen, torch.call('ge.Tensor', places, firsts));
      }
      const [zero, none] = [0, -Infinity].map((value) => torch.full([1], value, maskType)) as [
        Handle,
        Handle,
      ];
      return torch.call('where.self', seen, zero, none);
    });
    const queries = backend.view(q, shape);
    const [k, v] = [cached(keys), cached(values)];
    const added = torch.view(mask, [n, 1, group, span], [span, span, 0, 1]);
    const y =
      softCap === undefined
        ? torch.call('scaled_dot_product_attention', queries, k, v, added, 0, false, scale, false)
        : cappedAttention(torch, {
            ...{ q: queries, k, v, scale, softCap },
            mask: { values: added, shape: [n, keyHeads, group, span] },
          });
    const output = torch.empty([n, heads, headDim], dtype);
    torch.copy(torch.view(output, shape), y);
    return output;
  });
}
