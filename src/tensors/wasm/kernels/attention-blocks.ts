import type * as tf from '../../tf.js';
import type { Block } from '../allocator.js';
import type { WasmBackend } from '../backend.js';

/** Queries of a block, as in assembly/attention.ts. */
export const BLOCK = 64;
/** The widest head for which a thread's working memory has room. */
const MAX_HEAD_DIM = 256;

/** A list of int32 in the shared memory, for kernels that need more than the small table holds. */
export function upload(backend: WasmBackend, values: readonly number[]): Block {
  const block = backend.runtime.allocator.allocate(values.length * 4);
  backend.runtime.int32.set(values, block.pointer >>> 2);
  return block;
}

/** Checks that the kernels have room for heads of this shape. */
export function checkHeads(q: tf.TensorInfo, keyHeads: number): void {
  const [, heads, headDim] = q.shape as [number, number, number];
  if (heads % keyHeads !== 0 || headDim > MAX_HEAD_DIM) {
    throw new Error(
      `attention: ${heads} heads of ${headDim} over ${keyHeads} key-value heads: expected a multiple of ` +
        `${keyHeads} and at most ${MAX_HEAD_DIM}`,
    );
  }
}

/** Runs the blocked kernel; `blocks` as described at `attention` in assembly/attention.ts. */
export function attend(
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
