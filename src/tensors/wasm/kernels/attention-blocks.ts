import type { AttentionLimits } from '../../ops/packed-attention/packed-attention.js';
import type * as tf from '../../tf.js';
import type { Block } from '../allocator.js';
import type { WasmBackend } from '../backend.js';

/** Queries of a block, as in assembly/attention.ts. */
export const BLOCK = 64;
/** A window that nothing lies outside of; sums of it and of a position stay below 2³¹. */
const NO_WINDOW = 2 ** 30;
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

/** What kernels are given for limits that there are not. */
export const limitArguments = ({ window = NO_WINDOW, softCap = 0 }: AttentionLimits): [number, number] => [
  Math.min(window, NO_WINDOW),
  softCap,
];

/**
 * The four numbers of a block of rows, without the keys that a window hides from all of them.
 * @param visible keys that its first row sees, where no window hides any
 * @param keyAt elements before the first of them
 */
export function blockOf(
  [row, end]: [row: number, end: number],
  visible: number,
  keyAt: number,
  keyRow: number,
  { window = visible }: AttentionLimits,
): number[] {
  const hidden = Math.max(0, visible - window);
  return [row, end, keyAt + hidden * keyRow, visible - hidden];
}

/** Runs the blocked kernel; `blocks` as described at `attention` in assembly/attention.ts. */
export function attend(
  backend: WasmBackend,
  tensors: { q: tf.TensorInfo; keys: tf.TensorInfo; values: tf.TensorInfo; out: tf.TensorInfo },
  logSumExp: tf.TensorInfo | null,
  blocks: readonly number[],
  strides: { keyHeads: number; keyRow: number; keyHead: number },
  scale: number,
  limits: AttentionLimits,
): void {
  const { q, keys, values, out } = tensors;
  const [, heads, headDim] = q.shape as [number, number, number];
  const pointers = [q, keys, values, out].map((tensor) => backend.pointer(tensor));
  const table = upload(backend, blocks);
  const group = heads / strides.keyHeads;
  const args = [...pointers, logSumExp ? backend.pointer(logSumExp) : 0, table.pointer];
  const { runtime } = backend;
  const shape = [heads, group, headDim, strides.keyRow, strides.keyHead, scale, ...limitArguments(limits)];
  runtime.run(runtime.kernel('attention'), [...args, ...shape], (blocks.length / 4) * heads, 1);
  runtime.allocator.release(table);
}
