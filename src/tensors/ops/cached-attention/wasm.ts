import type * as tf from '../../tf.js';
import { attend, BLOCK, blockOf, checkHeads, limitArguments } from '../../wasm/kernels/attention-blocks.js';
import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';
import { SCRATCH_BYTES } from '../../wasm/threads.js';
import type { AttentionLimits } from '../packed-attention/packed-attention.js';
import { assertInCache, rowRanges } from './runs.js';

/**
 * The rows of a decoding step, or of a prompt being read: runs of rows of one slot, each seeing one position more
 * than the one before, become blocks; single rows take the kernel for one query.
 */
function cachedAttention({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { q, keys, values, slots, lengths } = inputs as Record<
    'q' | 'keys' | 'values' | 'slots' | 'lengths',
    tf.TensorInfo
  >;
  const { scale, ...limits } = attrs as unknown as AttentionLimits & { scale: number };
  const [n, heads, headDim] = q.shape as [number, number, number];
  const [, keyHeads, maxLength] = keys.shape as [number, number, number, number];
  checkHeads(q, keyHeads);
  const runs = rowRanges(backend.view(slots), backend.view(lengths), BLOCK);
  assertInCache(runs, keys.shape);
  const known = runs.reduce((most, { length, count }) => Math.max(most, length + count - 1), 0);
  const longest = Math.min(known, limits.window ?? known);
  const out = backend.makeOutput(q.shape, 'float32');
  const group = heads / keyHeads;
  if (runs.length < n / 4 || (longest + 4) * 4 * group > SCRATCH_BYTES) {
    const strides = { keyHeads, keyRow: headDim, keyHead: maxLength * headDim };
    const blocks = runs.flatMap(({ start, count, slot, length }) =>
      blockOf([start, start + count], length, slot * keyHeads * maxLength * headDim, headDim, limits),
    );
    attend(backend, { q, keys, values, out }, null, blocks, strides, scale, limits);
    return out;
  }
  const pointers = [q, keys, values, slots, lengths, out].map((tensor) => backend.pointer(tensor));
  const { runtime } = backend;
  const args = [...pointers, heads, group, maxLength, headDim, scale, ...limitArguments(limits)];
  const grain = Math.ceil(100_000 / (group * headDim * longest));
  runtime.run(runtime.kernel('cachedAttention'), args, n * keyHeads, grain);
  return out;
}

export const kernels: Kernels = { CachedAttention: cachedAttention };
