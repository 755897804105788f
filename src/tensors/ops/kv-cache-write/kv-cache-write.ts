import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

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
