import * as tf from '../../tf.js';

/**
 * Rows of a table: weight [V, d], ids int32 [n] → [n, d]. The gradient is a scatter-add, because the one
 * tfjs has for gather walks over every row of the table.
 */
export function embedding(weight: tf.Tensor2D, ids: tf.Tensor1D): tf.Tensor2D {
  const operation = tf.customGrad((...parameters) => {
    const [table, save] = parameters as unknown as [tf.Tensor2D, (tensors: tf.Tensor[]) => void];
    save([ids]);
    return {
      value: tf.gather(table, ids),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) =>
        tf.tidy(() => tf.scatterND(tf.reshape(saved[0]!, [-1, 1]), dy, weight.shape)),
    };
  });
  return operation(weight) as tf.Tensor2D;
}
