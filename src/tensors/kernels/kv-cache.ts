import * as tf from '../tf.js';
import { hasKernel, runNamed } from './named.js';
import { causalAttention } from './packed-attention.js';

/**
 * Writes rows into a cache, in place.
 * @param cache [slots, Hkv, maxLength, D]
 * @param rows [n, Hkv, D]
 * @param slots int32 [n], the slot of each row
 * @param positions int32 [n], the position of each row in its slot
 */
export function kvCacheWrite(
  cache: tf.Variable,
  rows: tf.Tensor3D,
  slots: tf.Tensor1D,
  positions: tf.Tensor1D,
): void {
  if (hasKernel('KvCacheWrite')) {
    runNamed<tf.Tensor>('KvCacheWrite', { cache, rows, slots, positions }).dispose();
    return;
  }
  const [, heads, maxLength, headDim] = cache.shape as [number, number, number, number];
  const n = rows.shape[0];
  if (tf.backend() instanceof tf.MathBackendCPU) {
    // this backend hands out its own arrays: write straight into them
    const target = cache.dataSync<'float32'>();
    const source = rows.dataSync<'float32'>();
    const slotOf = slots.dataSync<'int32'>();
    const positionOf = positions.dataSync<'int32'>();
    for (let i = 0; i < n; i++) {
      for (let h = 0; h < heads; h++) {
        const from = (i * heads + h) * headDim;
        const to = ((slotOf[i]! * heads + h) * maxLength + positionOf[i]!) * headDim;
        target.set(source.subarray(from, from + headDim), to);
      }
    }
    return;
  }
  tf.tidy(() => {
    const head = tf.reshape(tf.range(0, heads, 1, 'int32'), [1, heads]);
    const plane = tf.add(tf.mul(tf.reshape(slots, [n, 1]), heads), head);
    const index = tf.add(tf.mul(plane, maxLength), tf.reshape(positions, [n, 1]));
    const flat = tf.reshape(cache, [-1, headDim]);
    const updated = tf.tensorScatterUpdate(
      flat,
      tf.reshape(tf.cast(index, 'int32'), [-1, 1]),
      tf.reshape(rows, [-1, headDim]),
    );
    cache.assign(tf.reshape(updated, cache.shape));
  });
}

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
  const slotOf = slots.dataSync<'int32'>();
  const lengthOf = lengths.dataSync<'int32'>();
  const n = q.shape[0];
  const outputs: tf.Tensor3D[] = [];
  for (let start = 0; start < n; ) {
    let end = start + 1;
    while (end < n && slotOf[end] === slotOf[start] && lengthOf[end] === lengthOf[end - 1]! + 1) end++;
    const length = lengthOf[end - 1]!;
    const known = (cache: tf.Tensor4D) =>
      tf.transpose(
        tf.squeeze(tf.slice(cache, [slotOf[start]!, 0, 0, 0], [1, -1, length, -1]), [0]),
        [1, 0, 2],
      );
    const rows = tf.slice(q, [start, 0, 0], [end - start, -1, -1]);
    outputs.push(
      causalAttention(
        rows,
        known(keys) as tf.Tensor3D,
        known(values) as tf.Tensor3D,
        scale,
        lengthOf[start]! - 1,
      ),
    );
    start = end;
  }
  return outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 0);
}
