import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';
import { type AttentionLimits, causalAttention } from '../packed-attention/packed-attention.js';
import { attentionPieces } from '../packed-attention/pieces.js';
import { rowRanges } from './runs.js';

/**
 * Attention of new queries to what a cache holds: row i sees positions 0..lengths[i] − 1 of its slot, of
 * which a window leaves the last.
 * @param q [n, H, D]
 * @param keys [slots, Hkv, maxLength, D]
 * @param values [slots, Hkv, maxLength, D]
 * @param slots int32 [n]
 * @param lengths int32 [n]
 * @param limits with a `span`, which only the torch backend takes, every row is the only one of its slot and sees at
 * most so many positions; slots and lengths are then never read back
 * @returns [n, H, D]
 */
export function cachedAttention(
  q: tf.Tensor3D,
  keys: tf.Tensor4D,
  values: tf.Tensor4D,
  slots: tf.Tensor1D,
  lengths: tf.Tensor1D,
  scale: number,
  limits: AttentionLimits & { span?: number } = {},
): tf.Tensor3D {
  if (hasKernel('CachedAttention')) {
    return runNamed('CachedAttention', { q, keys, values, slots, lengths }, { scale, ...limits });
  }
  // the plain form reads the lengths back, and takes runs of consecutive positions of one slot together
  const outputs: tf.Tensor3D[] = [];
  for (const { start, count, slot, length } of rowRanges(
    slots.dataSync<'int32'>(),
    lengths.dataSync<'int32'>(),
  )) {
    for (const { row, rows, key, keys: seen } of attentionPieces(count, length, limits.window)) {
      const known = (cache: tf.Tensor4D) =>
        tf.transpose(
          tf.squeeze(tf.slice(cache, [slot, 0, key, 0], [1, -1, seen, -1]), [0]),
          [1, 0, 2],
        ) as tf.Tensor3D;
      const queries = tf.slice(q, [start + row, 0, 0], [rows, -1, -1]);
      outputs.push(causalAttention(queries, known(keys), known(values), scale, seen - rows, limits));
    }
  }
  return outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 0);
}
