import * as tf from '../../tf.js';
import { kvCacheWrite } from '../kv-cache-write/kv-cache-write.js';
import { hasKernel, runNamed } from '../named.js';

/** Which positions of which slot are copied to the same positions of another one. */
export interface CopiedRange {
  readonly from: number;
  readonly to: number;
  readonly start: number;
  /** After the last one. */
  readonly end: number;
}

/**
 * Copies positions start..end − 1 of one slot of a cache to another slot, in place.
 * @param cache [slots, Hkv, maxLength, D]
 * @throws {RangeError} when a slot or a position lies outside of the cache
 */
export function kvCacheCopy(cache: tf.Variable, range: CopiedRange): void {
  const { from, to, start, end } = range;
  const [slots, , maxLength] = cache.shape as [number, number, number, number];
  if (Math.min(from, to, start) < 0 || Math.max(from, to) >= slots || end > maxLength) {
    throw new RangeError(
      `kvCacheCopy: positions ${start} to ${end - 1} of slots ${from} and ${to} are outside of a cache of ${slots} ` +
        `slots of ${maxLength}`,
    );
  }
  const count = end - start;
  if (from === to || count <= 0) return;
  if (hasKernel('KvCacheCopy')) {
    runNamed<tf.Tensor>('KvCacheCopy', { cache }, range).dispose();
    return;
  }
  tf.tidy(() => {
    const rows = tf.squeeze(tf.slice(cache, [from, 0, start, 0], [1, -1, count, -1]), [0]);
    const slotIds = tf.fill([count], to, 'int32') as tf.Tensor1D;
    const positions = tf.range(start, end, 1, 'int32');
    kvCacheWrite(cache, tf.transpose(rows, [1, 0, 2]) as tf.Tensor3D, slotIds, positions);
  });
}
