import type * as tf from '../../tf.js';
import type { TorchBackend } from '../backend.js';
import type { Handle } from '../library.js';

/*
 * Shapes. Queries [n, H, D] and keys [n, Hkv, D] lie row by row. Torch's attention wants [batch, heads, rows, D]:
 * the key-value heads become the batch and the queries that share one become the heads, [Hkv, group, n, D], so that
 * keys and values are views in which the group axis has stride 0, and nothing is copied.
 */

/** The axes of a kernel call. */
export interface Heads {
  readonly heads: number;
  readonly keyHeads: number;
  readonly group: number;
  readonly headDim: number;
}

export function headsOf(q: tf.TensorInfo, keyHeads: number): Heads {
  const [, heads, headDim] = q.shape as [number, number, number];
  return { heads, keyHeads, group: heads / keyHeads, headDim };
}

/** Rows start..start + length of queries (or of anything shaped like them): [Hkv, group, length, D]. */
export function queryView(
  backend: TorchBackend,
  q: tf.TensorInfo,
  { heads, keyHeads, group, headDim }: Heads,
  start: number,
  length: number,
): Handle {
  const row = heads * headDim;
  const strides = [group * headDim, headDim, row, 1];
  return backend.view(q, [keyHeads, group, length, headDim], strides, start * row);
}

/** Rows of keys or values, seen by every query of a group: [Hkv, group, length, D]. */
export function keyView(
  backend: TorchBackend,
  k: tf.TensorInfo,
  { keyHeads, group, headDim }: Heads,
  start: number,
  length: number,
): Handle {
  const row = keyHeads * headDim;
  return backend.view(k, [keyHeads, group, length, headDim], [headDim, 0, row, 1], start * row);
}
