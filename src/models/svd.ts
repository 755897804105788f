import type { Rng } from '../common/rng.js';

/**
 * PiSSA's starting point (Meng et al. 2024): A = √(S/s) · Vᵀ and B = U · √(S/s) of the `rank` largest singular
 * values, so that s · B · A is the best approximation of W of that rank.
 * @param weight [rows, columns]
 * @returns a [rank, columns], b [rows, rank]
 */
export function principalFactors(
  weight: Float32Array,
  rows: number,
  columns: number,
  rank: number,
  scaling: number,
  rng: Rng,
): { a: Float32Array; b: Float32Array } {
  const { u, singular, v } = truncatedSvd(weight, rows, columns, rank, rng);
  const a = new Float32Array(rank * columns);
  const b = new Float32Array(rows * rank);
  for (let k = 0; k < rank; k++) {
    const root = Math.sqrt(singular[k]! / scaling);
    for (let j = 0; j < columns; j++) a[k * columns + j] = root * v[k]![j]!;
    for (let i = 0; i < rows; i++) b[i * rank + k] = root * u[k]![i]!;
  }
  return { a, b };
}

/** The largest singular values with their left (u) and right (v) vectors, in float64. */
export interface Svd {
  u: Float64Array[];
  singular: number[];
  v: Float64Array[];
}

/** Rounds of power iteration before a large matrix is reduced; PEFT's documentation recommends 16 (`pissa_niter_16`). */
const powerIterations = 16;

/**
 * The `rank` largest singular triplets. Small matrices are decomposed exactly; a large one is first reduced to
 * the range found by randomised power iteration (Halko, Martinsson and Tropp 2011).
 */
export function truncatedSvd(
  weight: Float32Array,
  rows: number,
  columns: number,
  rank: number,
  rng: Rng,
): Svd {
  const width = rank + Math.max(10, rank);
  const all = Array.from({ length: rows }, (_, i) =>
    Float64Array.from(weight.subarray(i * columns, (i + 1) * columns)),
  );
  if (Math.min(rows, columns) <= Math.max(128, width)) {
    if (rows <= columns) return jacobiSvd(all, rank);
    const { u, singular, v } = jacobiSvd(transpose(all, columns), rank);
    return { u: v, singular, v: u };
  }
  // q: an orthonormal basis [width][rows] of where W sends most
  let q = orthonormalize(
    Array.from({ length: width }, () => Float64Array.from({ length: rows }, () => rng.normal())),
  );
  for (let i = 0; i < powerIterations; i++) {
    const z = orthonormalize(q.map((vector) => applyTransposed(all, vector, columns)));
    q = orthonormalize(z.map((vector) => apply(all, vector)));
  }
  const reduced = jacobiSvd(
    q.map((vector) => applyTransposed(all, vector, columns)),
    rank,
  );
  const u = reduced.u.map((small) => {
    const vector = new Float64Array(rows);
    for (let k = 0; k < width; k++) addScaled(vector, q[k]!, small[k]!);
    return vector;
  });
  return { u, singular: reduced.singular, v: reduced.v };
}

/**
 * One-sided Jacobi (Hestenes 1958): rotates pairs of rows until all are orthogonal. Exact to rounding.
 * @param source [rows][columns] with rows ≤ columns; it is overwritten
 */
function jacobiSvd(source: Float64Array[], rank: number): Svd {
  const rows = source.length;
  const rotation = Array.from({ length: rows }, (_, i) => {
    const unit = new Float64Array(rows);
    unit[i] = 1;
    return unit;
  });
  for (let sweep = 0; sweep < 60; sweep++) {
    let rotated = false;
    for (let i = 0; i < rows - 1; i++) {
      for (let j = i + 1; j < rows; j++) {
        const [x, y] = [source[i]!, source[j]!];
        const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)];
        if (Math.abs(xy) <= 1e-13 * Math.sqrt(xx * yy)) continue;
        rotated = true;
        const zeta = (yy - xx) / (2 * xy);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const cosine = 1 / Math.sqrt(1 + tangent * tangent);
        rotate(x, y, cosine, cosine * tangent);
        rotate(rotation[i]!, rotation[j]!, cosine, cosine * tangent);
      }
    }
    if (!rotated) break;
  }
  const norms = source.map((row) => Math.sqrt(dot(row, row)));
  const order = norms
    .map((_, i) => i)
    .sort((i, j) => norms[j]! - norms[i]!)
    .slice(0, rank);
  return {
    // rotation · W = diag(norms) · V, so row i of the rotation is the left vector
    u: order.map((i) => rotation[i]!),
    singular: order.map((i) => norms[i]!),
    v: order.map((i) => source[i]!.map((value) => (norms[i]! > 0 ? value / norms[i]! : 0))),
  };
}

function rotate(x: Float64Array, y: Float64Array, cosine: number, sine: number): void {
  for (let k = 0; k < x.length; k++) {
    const [a, b] = [x[k]!, y[k]!];
    x[k] = cosine * a - sine * b;
    y[k] = sine * a + cosine * b;
  }
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k]! * y[k]!;
  return sum;
}

function addScaled(target: Float64Array, x: Float64Array, factor: number): void {
  for (let k = 0; k < target.length; k++) target[k]! += factor * x[k]!;
}

function apply(matrix: readonly Float64Array[], x: Float64Array): Float64Array {
  return Float64Array.from(matrix, (row) => dot(row, x));
}

function applyTransposed(matrix: readonly Float64Array[], x: Float64Array, columns: number): Float64Array {
  const result = new Float64Array(columns);
  for (let i = 0; i < matrix.length; i++) addScaled(result, matrix[i]!, x[i]!);
  return result;
}

function transpose(matrix: readonly Float64Array[], columns: number): Float64Array[] {
  return Array.from({ length: columns }, (_, j) => Float64Array.from(matrix, (row) => row[j]!));
}

/** Modified Gram–Schmidt, twice, on the vectors in place. */
function orthonormalize(vectors: Float64Array[]): Float64Array[] {
  for (let round = 0; round < 2; round++) {
    vectors.forEach((vector, i) => {
      for (let k = 0; k < i; k++) addScaled(vector, vectors[k]!, -dot(vectors[k]!, vector));
      const norm = Math.sqrt(dot(vector, vector));
      if (norm > 0) for (let k = 0; k < vector.length; k++) vector[k]! /= norm;
    });
  }
  return vectors;
}
