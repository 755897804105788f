import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';
import { softCapped } from '../soft-cap/soft-cap.js';
import { attentionPieces } from './pieces.js';

/** What the attention of a layer may have beside its scale. */
export interface AttentionLimits {
  /** How many positions a query sees, its own the last of them; all before it when absent. */
  window?: number | undefined;
  /** Scores s become cap · tanh(s / cap) before the mask (Gemma 2, 2024); they stay as they are when absent. */
  softCap?: number | undefined;
}

/**
 * Causal attention inside each of several samples that lie one after the other, and nothing across them.
 * Query heads share key-value heads in groups of H / Hkv.
 * @param q [n, H, D]
 * @param k [n, Hkv, D]
 * @param v [n, Hkv, D]
 * @param segments where each sample starts, then the total n
 * @param scale of the dot products, usually 1 / √D
 * @returns [n, H, D]
 */
export function packedAttention(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  segments: Int32Array,
  scale: number,
  limits: AttentionLimits = {},
): tf.Tensor3D {
  const { softCap } = limits;
  // a window that covers every sample is none
  const window = limits.window !== undefined && limits.window < longest(segments) ? limits.window : undefined;
  if (hasKernel('PackedAttention')) {
    const attributes = { segments, scale, window, softCap };
    return runNamed<tf.Tensor[]>('PackedAttention', { q, k, v }, attributes)[0] as tf.Tensor3D;
  }
  const outputs: tf.Tensor3D[] = [];
  for (let s = 0; s + 1 < segments.length; s++) {
    const start = segments[s]!;
    const length = segments[s + 1]! - start;
    for (const { row, rows, key, keys } of attentionPieces(length, 1, window)) {
      const some = (x: tf.Tensor3D, from: number, count: number) =>
        tf.slice(x, [start + from, 0, 0], [count, -1, -1]);
      const [known, values] = [some(k, key, keys), some(v, key, keys)];
      outputs.push(
        causalAttention(some(q, row, rows), known, values, scale, keys - rows, { window, softCap }),
      );
    }
  }
  return outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 0);
}

/** The longest of the samples that start at `segments`. */
export function longest(segments: Int32Array): number {
  return segments.reduce(
    (most, end, i) => (i === 0 ? 0 : Math.max(most, end - (segments[i - 1] as number))),
    0,
  );
}

tf.registerGradient({
  kernelName: 'PackedAttention',
  inputsToSave: ['q', 'k', 'v'],
  outputsToSave: [true, true],
  gradFunc: (dys, saved, attributes) => {
    const [q, k, v, out, logSumExp] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const dy = (dys as tf.Tensor[])[0]!;
    const [dq, dk, dv] = runNamed<tf.Tensor[]>(
      'PackedAttentionGrad',
      { dy, q, k, v, out, logSumExp },
      attributes,
    );
    return { q: () => dq!, k: () => dk!, v: () => dv! };
  },
});

/**
 * One sample's attention in plain operations: query row i sees key rows 0..offset + i, of which a window leaves the
 * last.
 * q [n, H, D]; k and v [m, Hkv, D] → [n, H, D].
 */
export function causalAttention(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  scale: number,
  offset: number,
  { window, softCap }: AttentionLimits = {},
): tf.Tensor3D {
  const [n, heads, headDim] = q.shape;
  const [m, keyValueHeads] = k.shape;
  const group = heads / keyValueHeads;
  // [Hkv, group · n, D]: the query heads that share a key-value head become rows of one matrix product
  const queries = tf.reshape(tf.transpose(q, [1, 0, 2]), [keyValueHeads, group * n, headDim]);
  const keys = tf.transpose(k, [1, 0, 2]);
  const values = tf.transpose(v, [1, 0, 2]);
  const scores = tf.mul(tf.matMul(queries, keys, false, true), scale);
  const capped = tf.reshape(softCapped(scores, softCap), [keyValueHeads, group, n, m]);
  const masked = tf.add(capped, causalMask(n, m, offset, window));
  const weights = tf.reshape(tf.softmax(masked), [keyValueHeads, group * n, m]);
  const mixed = tf.reshape(tf.matMul(weights, values), [heads, n, headDim]);
  return tf.transpose(mixed, [1, 0, 2]) as tf.Tensor3D;
}

/** 0 where row i may see column j (offset + i − window < j ≤ offset + i), a large negative number elsewhere: [n, m]. */
function causalMask(n: number, m: number, offset: number, window: number | undefined): tf.Tensor2D {
  const rows = tf.reshape(tf.range(offset, offset + n, 1, 'int32'), [n, 1]);
  const columns = tf.reshape(tf.range(0, m, 1, 'int32'), [1, m]);
  const future = tf.greater(columns, rows);
  const hidden =
    window !== undefined && window < m
      ? tf.logicalOr(future, tf.lessEqual(columns, tf.sub(rows, tf.scalar(window, 'int32'))))
      : future;
  return tf.mul(tf.cast(hidden, 'float32'), -1e30);
}
