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

/** Which form of a tiled product computes one, as bits of a key. */
export const flagsOf = ({ transposeA, transposeB, bias }: Product, isLarge: boolean): number =>
  (transposeA ? 1 : 0) | (transposeB ? 2 : 0) | (bias ? 4 : 0) | (isLarge ? 8 : 0);

/** How many bits that are. */
export const FLAG_BITS = 4;

/** The constants of `product.wgsl` of a form. */
export const constantsOf = (flags: number) => ({
  SIDE: flags & 8 ? 16 : 8,
  TRANSPOSE_A: flags & 1,
  TRANSPOSE_B: (flags >> 1) & 1,
  BIAS: (flags >> 2) & 1,
});
