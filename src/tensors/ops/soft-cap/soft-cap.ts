import * as tf from '../../tf.js';

/** cap · tanh(x / cap), which no value of x takes out of −cap to cap (Gemma 2, 2024); x where there is no cap. */
export function softCapped<T extends tf.Tensor>(x: T, cap: number | undefined): T {
  return cap === undefined ? x : tf.mul(tf.tanh(tf.div(x, cap)), cap);
}
