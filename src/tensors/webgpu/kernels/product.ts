import type * as tf from '../../tf.js';

/** Matrices of which the last two dimensions are multiplied, and how. */
export interface Product {
  readonly a: tf.TensorInfo;
  readonly b: tf.TensorInfo;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly bias?: tf.TensorInfo | undefined;
  readonly batches?: number;
  /** How far the matrices of two batches are apart; 0 where all batches share one. */
  readonly batchA?: number;
  readonly batchB?: number;
  /** The elements at which `a` and the result begin. */
  readonly startA?: number;
  readonly startOut?: number;
}
