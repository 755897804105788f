import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

/** Whether no other tensor has the same numbers, so that they may be changed. */
const isAlone = (tensor: tf.Tensor): boolean => tf.backend().refCount(tensor.dataId) === 1;

/** Multiplies each tensor by a number; takes them over, and may write in place. No gradient. */
export function scaleEach(tensors: readonly tf.Tensor[], factor: number): tf.Tensor[] {
  const isInPlace = hasKernel('ScaleEach');
  const alone = isInPlace ? tensors.filter(isAlone) : [];
  if (alone.length > 0) runInPlace('ScaleEach', alone, { factor });
  const done = new Set(alone);
  return tensors.map((tensor) => {
    if (done.has(tensor)) return tensor;
    const scaled = tf.mul(tensor, factor);
    tensor.dispose();
    return scaled;
  });
}

/** Adds to each sum the tensor of the same shape; takes over both, and may write in place. No gradient. */
export function addEach(sums: readonly tf.Tensor[], others: readonly tf.Tensor[]): tf.Tensor[] {
  const isInPlace = hasKernel('AddEach');
  const alone = new Set(isInPlace ? sums.filter(isAlone) : []);
  const pairs = sums.flatMap((sum, i) => (alone.has(sum) ? [sum, others[i]!] : []));
  if (pairs.length > 0) runInPlace('AddEach', pairs);
  return sums.map((sum, i) => {
    const other = others[i]!;
    const total = alone.has(sum) ? sum : tf.add(sum, other);
    if (total !== sum) sum.dispose();
    other.dispose();
    return total;
  });
}

function runInPlace(name: string, tensors: readonly tf.Tensor[], attributes: object = {}): void {
  // a list of inputs is what tfjs's own Pack kernel takes
  runNamed<tf.Tensor>(name, tensors as unknown as Record<string, tf.Tensor>, attributes).dispose();
}
