import type * as tf from '../../tf.js';
import type { Block } from '../allocator.js';
import type { WasmBackend } from '../backend.js';
import { SCRATCH_BYTES } from '../threads.js';
import { type KernelCall, register } from './register.js';

/** Queries of a block, as in assembly/attention.ts. */
const BLOCK = 64;
/** The widest head for which a thread's working memory has room. */
const MAX_HEAD_DIM = 256;

/** A list of int32 in the shared memory, for kernels that need more than the small table holds. */
function upload(backend: WasmBackend, values: readonly number[]): Block {
  const block = backend.runtime.allocator.allocate(values.length * 4);
  backend.runtime.int32.set(values, block.pointer >>> 2);
  return block;
}

function checkHeads(q: tf.TensorInfo, keyHeads: number): void {
  const [, heads, headDim] = q.shape as [number, number, number];
  if (heads % keyHeads !== 0 || headDim > MAX_HEAD_DIM) {
    throw new Error(
      `attention: ${heads} heads of ${headDim} over ${keyHeads} key-value heads: expected a multiple of ` +
        `${keyHeads} and at most ${MAX_HEAD_DIM}`,
    );
  }
}

/** Runs the blocked kernel; `blocks` as described at `attention` in assembly/attention.ts. */
function attend(
  backend: WasmBackend,
  tensors: { q: tf.TensorInfo; keys: tf.TensorInfo; values: tf.TensorInfo; out: tf.TensorInfo },
  logSumExp: tf.TensorInfo | null,
  blocks: readonly number[],
  strides: { keyHeads: number; keyRow: number; keyHead: number },
  scale: number,
): void {
  const { q, keys, values, out } = tensors;
  const [, heads, headDim] = q.shape as [number, number, number];
  const pointers = [q, keys, values, out].map((tensor) => backend.pointer(tensor));
  const table = upload(backend, blocks);
  const group = heads / strides.keyHeads;
  const args = [...pointers, logSumExp ? backend.pointer(logSumExp) : 0, table.pointer];
  const { runtime } = backend;
  const shape = [heads, group, headDim, strides.keyRow, strides.keyHead, scale];
  runtime.run(runtime.kernel('attention'), [...args, ...shape], (blocks.length / 4) * heads, 1);
  runtime.allocator.release(table);
}

function packedAttention({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const { q, k, v } = inputs as Record<'q' | 'k' | 'v', tf.TensorInfo>;
  const { segments, scale } = attrs as { segments: Int32Array; scale: number };
  const [n, heads] = q.shape as [number, number, number];
  const [, keyHeads, headDim] = k.shape as [number, number, number];
  checkHeads(q, keyHeads);
  const out = backend.makeOutput(q.shape, 'float32');
  const logSumExp = backend.makeOutput([n, heads], 'float32');
  const blocks: number[] = [];
  for (let s = 0; s + 1 < segments.length; s++) {
    const [start, end] = [segments[s] as number, segments[s + 1] as number];
    // the longest blocks first, so that no thread starts one when the others are done
    for (
      let row = start + Math.floor((end - start - 1) / BLOCK) * BLOCK;
      row >= start && end > start;
      row -= BLOCK
    ) {
      blocks.push(row, Math.min(end, row + BLOCK), start * keyHeads * headDim, row - start + 1);
    }
  }
  const strides = { keyHeads, keyRow: keyHeads * headDim, keyHead: headDim };
  attend(backend, { q, keys: k, values: v, out }, logSumExp, blocks, strides, scale);
  return [out, logSumExp];
}

function packedAttentionGrad({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const { dy, q, k, v, out, logSumExp } = inputs as Record<string, tf.TensorInfo> as Record<
    'dy' | 'q' | 'k' | 'v' | 'out' | 'logSumExp',
    tf.TensorInfo
  >;
  const { segments, scale } = attrs as { segments: Int32Array; scale: number };
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
  const args = [...pointers, table.pointer, heads, group, headDim, scale];
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

/**
 * The rows of a decoding step, or of a prompt being read: runs of rows of one slot, each seeing one position more
 * than the one before, become blocks; single rows take the kernel for one query.
 */
function cachedAttention({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { q, keys, values, slots, lengths } = inputs as Record<
    'q' | 'keys' | 'values' | 'slots' | 'lengths',
    tf.TensorInfo
  >;
  const scale = attrs.scale as number;
  const [n, heads, headDim] = q.shape as [number, number, number];
  const [slotCount, keyHeads, maxLength] = keys.shape as [number, number, number, number];
  checkHeads(q, keyHeads);
  const slotOf = backend.view(slots);
  const lengthOf = backend.view(lengths);
  const blocks: number[] = [];
  let longest = 0;
  for (let start = 0; start < n; ) {
    const [slot, length] = [slotOf[start] as number, lengthOf[start] as number];
    let end = start + 1;
    while (end < n && end - start < BLOCK && slotOf[end] === slot && lengthOf[end] === length + end - start)
      end++;
    const last = length + end - start - 1;
    if (slot < 0 || slot >= slotCount || length < 1 || last > maxLength) {
      throw new Error(
        `cachedAttention: slot ${slot} with ${last} positions is outside of a cache of ${slotCount} slots of ${maxLength}`,
      );
    }
    longest = Math.max(longest, last);
    blocks.push(start, end, slot * keyHeads * maxLength * headDim, length);
    start = end;
  }
  const out = backend.makeOutput(q.shape, 'float32');
  const group = heads / keyHeads;
  if (blocks.length / 4 < n / 4 || (longest + 4) * 4 * group > SCRATCH_BYTES) {
    const strides = { keyHeads, keyRow: headDim, keyHead: maxLength * headDim };
    attend(backend, { q, keys, values, out }, null, blocks, strides, scale);
    return out;
  }
  const pointers = [q, keys, values, slots, lengths, out].map((tensor) => backend.pointer(tensor));
  const { runtime } = backend;
  const args = [...pointers, heads, group, maxLength, headDim, scale];
  const grain = Math.ceil(100_000 / (group * headDim * longest));
  runtime.run(runtime.kernel('cachedAttention'), args, n * keyHeads, grain);
  return out;
}

function kvCacheWrite({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { cache, rows, slots, positions } = inputs as Record<
    'cache' | 'rows' | 'slots' | 'positions',
    tf.TensorInfo
  >;
  const [slotCount, heads, maxLength, headDim] = cache.shape as [number, number, number, number];
  const n = rows.shape[0] as number;
  const slotOf = backend.view(slots);
  const positionOf = backend.view(positions);
  for (let i = 0; i < n; i++) {
    const [slot, position] = [slotOf[i] as number, positionOf[i] as number];
    if (slot < 0 || slot >= slotCount || position < 0 || position >= maxLength) {
      throw new Error(
        `kvCacheWrite: position ${position} of slot ${slot} is outside of a cache of ${slotCount} slots of ${maxLength}`,
      );
    }
  }
  const pointers = [cache, rows, slots, positions].map((tensor) => backend.pointer(tensor));
  const { runtime } = backend;
  const grain = Math.ceil(16384 / (heads * headDim));
  runtime.run(runtime.kernel('kvCacheWrite'), [...pointers, heads, maxLength, headDim], n, grain);
  return backend.makeOutput([0], 'float32');
}

/** Attention over packed samples and over a cache, and writing the cache. */
export function registerAttention(): void {
  register('PackedAttention', packedAttention);
  register('PackedAttentionGrad', packedAttentionGrad);
  register('CachedAttention', cachedAttention);
  register('KvCacheWrite', kvCacheWrite);
}
