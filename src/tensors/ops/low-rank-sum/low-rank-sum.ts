import { floatTypeOf, toFloatType } from '../../float-type.js';
import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

const KERNEL = 'LowRankSum';

/** One of several products of the same input, and what is added to it. */
export interface LowRankTerm {
  /** [n, out]: given away, its memory may hold the result. */
  sum: tf.Tensor2D;
  /** float32 [rank, out]. */
  b: tf.Tensor2D;
  /** What the sum is multiplied by before: float32 [out]. */
  factor?: tf.Tensor1D | undefined;
}

/** Whether the active backend has it in one piece, so that adapters of the same input are better multiplied together. */
export const hasLowRankSum = (): boolean => hasKernel(KERNEL);

/**
 * factor ∘ sum + x · aᵢ · b for each of several products of x [n, in]: `a` [in, Σ rank] has the columns aᵢ of each
 * term, after those of the one before. The sums, and the results [n, out], are of x's type, all else is float32. No
 * gradient.
 */
export function lowRankSum(x: tf.Tensor2D, a: tf.Tensor2D, terms: readonly LowRankTerm[]): tf.Tensor2D[] {
  if (hasLowRankSum()) {
    const inputs: tf.NamedTensorMap = { x, a };
    for (const [i, { sum, b, factor }] of terms.entries()) {
      inputs[`sum${i}`] = sum;
      inputs[`b${i}`] = b;
      if (factor) inputs[`factor${i}`] = factor;
    }
    runNamed<tf.Tensor>(KERNEL, inputs, { terms: terms.length }).dispose();
    return terms.map(({ sum }) => sum);
  }
  return tf.tidy(() => {
    const low = tf.matMul(toFloatType(x, 'float32'), a);
    let column = 0;
    return terms.map(({ sum, b, factor }) => {
      const [rank] = b.shape;
      const change = tf.matMul(tf.slice(low, [0, column], [-1, rank]), b);
      column += rank;
      const wide = toFloatType(sum, 'float32');
      return toFloatType(tf.add(factor ? tf.mul(wide, factor) : wide, change), floatTypeOf(x)) as tf.Tensor2D;
    });
  });
}
