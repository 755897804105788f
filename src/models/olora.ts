/** OLoRA (Büyükakyüz 2024): an adapter starts as the first part of the QR decomposition of its base. */
import * as tf from '../tensors/tf.js';
import { allOrNothing } from './all-or-nothing.js';
import type { PrincipalPart } from './pissa.js';
import type { Weight } from './weight.js';

/**
 * The first columns of Q and rows of R of W = Q · R, as b [out, rank] and a [rank, in]. Signs are LAPACK's, so that
 * they are PEFT's; with PEFT, what is taken out of the base is s · b · a, so that both together start as the base was.
 * @param rank at most the smaller side of the weight
 */
export async function qrPart(weight: Weight, rank: number): Promise<PrincipalPart> {
  const out = weight.shape[0];
  const columns = tf.tidy(() => tf.slice(weight.dense(), [0, 0], [-1, rank]));
  const values = await columns.data<'float32'>();
  columns.dispose();
  const q = orthonormalColumns(Float64Array.from(values), out, rank);
  return allOrNothing((own) => {
    const b = own(tf.tensor2d(Float32Array.from(q), [out, rank]));
    return { a: own(tf.tidy(() => tf.matMul(b, weight.dense(), true, false))), b };
  });
}

/**
 * Q of the QR decomposition of a matrix [rows, columns] with at least as many rows as columns, by Householder
 * reflections H = I − v · vᵀ · 2 / ‖v‖² (Golub & Van Loan, algorithm 5.2.1), each with the sign that LAPACK gives it:
 * a diagonal element of R has the sign opposite to that of what it is made from.
 */
export function orthonormalColumns(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const r = matrix.slice();
  const reflections: { v: Float64Array; factor: number }[] = [];
  for (let k = 0; k < columns; k++) {
    const v = Float64Array.from({ length: rows }, (_, i) => (i < k ? 0 : r[i * columns + k]!));
    const below = v.subarray(k + 1).some((value) => value !== 0);
    const norm =
      Math.sqrt(v.reduce((sum, value) => sum + value * value, 0)) *
      (v[k]! < 0 || Object.is(v[k], -0) ? -1 : 1);
    // nothing to reflect: LAPACK leaves even the sign
    if (below) v[k]! += norm;
    const squares = v.reduce((sum, value) => sum + value * value, 0);
    const reflection = { v, factor: below ? 2 / squares : 0 };
    reflections.push(reflection);
    reflect(reflection, r, rows, columns, k);
  }
  const q = new Float64Array(rows * columns);
  for (let k = 0; k < columns; k++) q[k * columns + k] = 1;
  for (const [k, reflection] of [...reflections.entries()].reverse())
    reflect(reflection, q, rows, columns, k);
  return q;
}

/** Applies a reflection, of which elements above `first` are zero, to a matrix [rows, columns] in place. */
function reflect(
  { v, factor }: { v: Float64Array; factor: number },
  matrix: Float64Array,
  rows: number,
  columns: number,
  first: number,
): void {
  const products = new Float64Array(columns);
  for (let i = first; i < rows; i++) {
    for (let j = 0; j < columns; j++) products[j]! += v[i]! * matrix[i * columns + j]!;
  }
  for (let i = first; i < rows; i++) {
    for (let j = 0; j < columns; j++) matrix[i * columns + j]! -= factor * v[i]! * products[j]!;
  }
}
