import { Rng } from '../common/rng.js';
import { toFloatType } from '../tensors/float-type.js';
import { checkpoint, isRecording } from '../tensors/gradients.js';
import { assertLabels } from '../tensors/ops/index.js';
import * as tf from '../tensors/tf.js';
import type { Pass } from './weight.js';

/** Scores held at a time, in floats; they are held a few times over. */
const PART_ELEMENTS = 1 << 24;

/**
 * log softmax(scores(x))[label] of each row, without keeping the scores: a part of the rows at a time, whose scores are
 * made again for the gradient. For a head that is not one matrix; `headLogProbs` is faster for one that is.
 * @param head how many scores a row has, and what training changes of those that make them
 * @param x [n, in]
 * @param labels [n], each below `width`
 * @param scores [rows, in] → [rows, width]
 * @returns [n] in float32
 */
export function labelLogProbsInParts(
  { width, trained }: { width: number; trained: readonly tf.Variable[] },
  x: tf.Tensor2D,
  labels: Int32Array,
  pass: Pass,
  scores: (x: tf.Tensor2D, pass: Pass) => tf.Tensor2D,
): tf.Tensor1D {
  const count = x.shape[0];
  if (count === 0) return tf.zeros([0]);
  assertLabels(labels, width);
  const step = Math.max(1, Math.floor(PART_ELEMENTS / width));
  const parts: tf.Tensor1D[] = [];
  for (let start = 0; start < count; start += step) {
    const size = Math.min(step, count - start);
    // rows that are scored a second time draw the same dropout again
    const state = pass.rng?.state();
    const run = (rows: tf.Tensor2D, [own, names]: readonly tf.Tensor[], again: boolean): tf.Tensor2D => {
      const rng = again && state ? Rng.fromState(state) : pass.rng;
      const part = { ...pass, rng, names: names as tf.Tensor1D | undefined };
      const logProbs = tf.logSoftmax(toFloatType(scores(rows, part), 'float32'));
      const target = tf.cast(tf.oneHot(own as tf.Tensor1D, width), 'float32');
      return tf.expandDims(tf.sum(tf.mul(logProbs, target), 1), 1);
    };
    const rows = tf.slice(x, [start, 0], [size, -1]);
    const own = tf.tensor1d(labels.slice(start, start + size), 'int32');
    const kept = pass.names ? [own, tf.slice(pass.names, [start], [size])] : [own];
    const part = tf.tidy(() =>
      isRecording() ? checkpoint(run, rows, kept, trained) : run(rows, kept, false),
    );
    parts.push(tf.reshape(part, [size]));
  }
  return parts.length === 1 ? parts[0]! : tf.concat(parts);
}
