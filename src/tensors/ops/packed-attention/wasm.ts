import type * as tf from '../../tf.js';
import {
  attend,
  BLOCK,
  blockOf,
  checkHeads,
  limitArguments,
  upload,
} from '../../wasm/kernels/attention-blocks.js';
import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';
import type { AttentionLimits } from './packed-attention.js';

type Attributes = AttentionLimits & { segments: Int32Array; scale: number };

function packedAttention({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const { q, k, v } = inputs as Record<'q' | 'k' | 'v', tf.TensorInfo>;
  const { segments, scale, ...limits } = attrs as unknown as Attributes;
  const [n, heads] = q.shape as [number, number, number];
  const [, keyHeads, headDim] = k.shape as [number, number, number];
  checkHeads(q, keyHeads);
  const out = backend.makeOutput(q.shape, 'float32');
  const logSumExp = backend.makeOutput([n, heads], 'float32');
  const strides = { keyHeads, keyRow: keyHeads * headDim, keyHead: headDim };
  const blocks: number[] = [];
  for (let s = 0; s + 1 < segments.length; s++) {
    const [start, end] = [segments[s] as number, segments[s + 1] as number];
    // the longest blocks first, so that no thread starts one when the others are done
    for (
      let row = start + Math.floor((end - start - 1) / BLOCK) * BLOCK;
      row >= start && end > start;
      row -= BLOCK
    ) {
      const rows: [number, number] = [row, Math.min(end, row + BLOCK)];
      blocks.push(...blockOf(rows, row - start + 1, start * strides.keyRow, strides.keyRow, limits));
    }
  }
  attend(backend, { q, keys: k, values: v, out }, logSumExp, blocks, strides, scale, limits);
  return [out, logSumExp];
}

function packedAttentionGrad({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const { dy, q, k, v, out, logSumExp } = inputs as Record<string, tf.TensorInfo> as Record<
    'dy' | 'q' | 'k' | 'v' | 'out' | 'logSumExp',
    tf.TensorInfo
  >;
  const { segments, scale, ...limits } = attrs as unknown as Attributes;
  const [n, heads, headDim] = q.shape as [number, number, number];
  const keyHeads = k.shape[1] as number;
  const group = heads / keyHeads;
  const { runtime } = backend;
  const dq = backend.makeOutput(q.shape, 'float32');
  // every query head writes its own share of dk and dv, which are then added up
  const shares = [0, 1].map(() => backend.makeOutput([n, heads, headDim], 'float32')) as [
    tf.TensorInfo,
    tf.TensorInfo,
  ];
  const table = upload(backend, [...segments]);
  const pointers = [dy, q, k, v, out, logSumExp, dq, ...shares].map((tensor) => backend.pointer(tensor));
  const args = [...pointers, table.pointer, heads, group, headDim, scale, ...limitArguments(limits)];
  runtime.run(runtime.kernel('attentionGrad'), args, (segments.length - 1) * heads, 1);
  runtime.allocator.release(table);
  if (group === 1) return [dq, ...shares];
  const sums = shares.map((share) => {
    const sum = backend.makeOutput([n, keyHeads, headDim], 'float32');
    const sumArgs = [backend.pointer(share), backend.pointer(sum), heads, group, headDim];
    runtime.run(runtime.kernel('sumGroups'), sumArgs, n, Math.ceil(16384 / (heads * headDim)));
    backend.disposeIntermediateTensorInfo(share);
    return sum;
  });
  return [dq, ...sums];
}

export const kernels: Kernels = {
  PackedAttention: packedAttention,
  PackedAttentionGrad: packedAttentionGrad,
};
