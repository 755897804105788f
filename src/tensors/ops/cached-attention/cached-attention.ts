import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';
import { causalAttention } from '../packed-attention/packed-attention.js';
import { rowRanges } from './runs.js';

/**
 * Attention of new queries to what a cache holds: row i sees positions 0..lengths[i] − 1 of its slot.
 * @param q [n, H, D]
 * @param keys [slots, Hkv, maxLength, D]
 * @param values [slots, Hkv, maxLength, D]
 * @param slots int32 [n]
 * @param lengths int32 [n]
 * @returns [n, H, D]
 */
export function cachedAttention(
  q: tf.Tensor3D,
  keys: tf.Tensor4D,
  values: tf.Tensor4D,
  slots: tf.Tensor1D,
  lengths: tf.Tensor1D,
  scale: number,
): tf.Tensor3D {
  if (hasKernel('CachedAttention')) {
    return runNamed('CachedAttention', { q, keys, values, slots, lengths }, { scale });
  }
  // the plain form reads the lengths back, and takes runs of consecutive positions of one slot together
  const outputs: tf.Tensor3D[] = [];
  for (const { start, count, slot, length } of rowRanges(
    slots.dataSync<'int32'>(),
    lengths.dataSync<'int32'>(),
  )) {
    const known = (cache: tf.Tensor4D) =>
      tf.transpose(
        tf.squeeze(tf.slice(cache, [slot, 0, 0, 0], [1, -1, length + count - 1, -1]), [0]),
        [1, 0, 2],
      ) as tf.Tensor3D;
    const rows = tf.slice(q, [start, 0, 0], [count, -1, -1]);
    outputs.push(causalAttention(rows, known(keys), known(values), scale, length - 1));
  }
  return outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 0);
}
