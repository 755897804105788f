import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

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
): tf.Tensor3D {
  if (hasKernel('PackedAttention')) {
    return runNamed<tf.Tensor[]>('PackedAttention', { q, k, v }, { segments, scale })[0] as tf.Tensor3D;
  }
  const outputs: tf.Tensor3D[] = [];
  for (let s = 0; s + 1 < segments.length; s++) {
    const start = segments[s]!;
    const length = segments[s + 1]! - start;
    if (length === 0) continue;
    const rows = (x: tf.Tensor3D) => tf.slice(x, [start, 0, 0], [length, -1, -1]);
    outputs.push(causalAttention(rows(q), rows(k), rows(v), scale, 0));
  }
  return outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 0);
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
 * One sample's attention in plain operations: query row i sees key rows 0..offset + i.
 * q [n, H, D]; k and v [m, Hkv, D] → [n, H, D].
 */
export function causalAttention(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  scale: number,
  offset: number,
): tf.Tensor3D {
  const [n, heads, headDim] = q.shape;
  const [m, keyValueHeads] = k.shape;
  const group = heads / keyValueHeads;
  // [Hkv, group · n, D]: the query heads that share a key-value head become rows of one matrix product
  const queries = tf.reshape(tf.transpose(q, [1, 0, 2]), [keyValueHeads, group * n, headDim]);
  const keys = tf.transpose(k, [1, 0, 2]);
  const values = tf.transpose(v, [1, 0, 2]);
  const scores = tf.mul(tf.matMul(queries, keys, false, true), scale);
  const masked = tf.add(tf.reshape(scores, [keyValueHeads, group, n, m]), causalMask(n, m, offset));
  const weights = tf.reshape(tf.softmax(masked), [keyValueHeads, group * n, m]);
  const mixed = tf.reshape(tf.matMul(weights, values), [heads, n, headDim]);
  return tf.transpose(mixed, [1, 0, 2]) as tf.Tensor3D;
}

/** 0 where row i may see column j (j ≤ offset + i), a large negative number elsewhere: [n, m]. */
function causalMask(n: number, m: number, offset: number): tf.Tensor2D {
  const rows = tf.reshape(tf.range(offset, offset + n, 1, 'int32'), [n, 1]);
  const columns = tf.reshape(tf.range(0, m, 1, 'int32'), [1, m]);
  return tf.mul(tf.cast(tf.greater(columns, rows), 'float32'), -1e30);
}
