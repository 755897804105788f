import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

/**
 * Some logits of each row and the log-sum-exp of all: logits [r, V], columns int32 [r, k] → float32 [r, k + 1].
 * It is all that the choice of a token needs to know of a row once its candidates are known.
 */
export function scoreColumns(logits: tf.Tensor2D, columns: tf.Tensor2D): tf.Tensor2D {
  if (hasKernel('ScoreColumns')) return runNamed('ScoreColumns', { logits, columns });
  const [rows, width] = logits.shape;
  const starts = tf.reshape(tf.range(0, rows * width, width, 'int32'), [rows, 1]);
  const picked = tf.gather(tf.reshape(logits, [-1]), tf.add(columns, starts));
  return tf.concat([picked as tf.Tensor2D, tf.logSumExp(logits, 1, true) as tf.Tensor2D], 1);
}
