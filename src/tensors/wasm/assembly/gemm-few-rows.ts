/** Matrix products of few rows, as in decoding: reading B is the cost, and packing it would double that. */
import { addBias } from './gemm';
import { sumEach } from './vector';

/**
 * C[m, n] = A[m, k] · B[n, k]ᵀ (+ bias) for few rows, nothing packed: B, the weights, streams through once.
 * Items are groups of 4 rows of B. Rows of A and B are contiguous.
 */
export function gemmFewRows(
  a: usize,
  aRowStride: i32,
  b: usize,
  bRowStride: i32,
  c: usize,
  ldc: i32,
  bias: usize,
  m: i32,
  n: i32,
  k: i32,
  begin: i32,
  end: i32,
): void {
  const bs = (<usize>bRowStride) << 2;
  const vectors = k & ~3;
  for (let item = begin; item < end; item++) {
    const j = item << 2;
    const count = min(4, n - j);
    // missing rows repeat the last one; their sums are not stored
    const b0 = b + bs * j;
    const b1 = count > 1 ? b0 + bs : b0;
    const b2 = count > 2 ? b1 + bs : b1;
    const b3 = count > 3 ? b2 + bs : b2;
    let i = 0;
    for (; i + 2 <= m; i += 2) {
      const x0 = a + ((<usize>(i * aRowStride)) << 2);
      const x1 = x0 + ((<usize>aRowStride) << 2);
      let s00 = f32x4.splat(0);
      let s01 = s00;
      let s02 = s00;
      let s03 = s00;
      let s10 = s00;
      let s11 = s00;
      let s12 = s00;
      let s13 = s00;
      for (let p: usize = 0; p < (<usize>vectors) << 2; p += 16) {
        const u = v128.load(x0 + p);
        const v = v128.load(x1 + p);
        let w = v128.load(b0 + p);
        s00 = f32x4.add(s00, f32x4.mul(u, w));
        s10 = f32x4.add(s10, f32x4.mul(v, w));
        w = v128.load(b1 + p);
        s01 = f32x4.add(s01, f32x4.mul(u, w));
        s11 = f32x4.add(s11, f32x4.mul(v, w));
        w = v128.load(b2 + p);
        s02 = f32x4.add(s02, f32x4.mul(u, w));
        s12 = f32x4.add(s12, f32x4.mul(v, w));
        w = v128.load(b3 + p);
        s03 = f32x4.add(s03, f32x4.mul(u, w));
        s13 = f32x4.add(s13, f32x4.mul(v, w));
      }
      finishRow(s00, s01, s02, s03, x0, b0, b1, b2, b3, vectors, k, c, i * ldc + j, bias, j, count);
      finishRow(s10, s11, s12, s13, x1, b0, b1, b2, b3, vectors, k, c, (i + 1) * ldc + j, bias, j, count);
    }
    if (i < m) {
      const x0 = a + ((<usize>(i * aRowStride)) << 2);
      let s0 = f32x4.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      for (let p: usize = 0; p < (<usize>vectors) << 2; p += 16) {
        const u = v128.load(x0 + p);
        s0 = f32x4.add(s0, f32x4.mul(u, v128.load(b0 + p)));
        s1 = f32x4.add(s1, f32x4.mul(u, v128.load(b1 + p)));
        s2 = f32x4.add(s2, f32x4.mul(u, v128.load(b2 + p)));
        s3 = f32x4.add(s3, f32x4.mul(u, v128.load(b3 + p)));
      }
      finishRow(s0, s1, s2, s3, x0, b0, b1, b2, b3, vectors, k, c, i * ldc + j, bias, j, count);
    }
  }
}

/** Adds up four vectors of partial sums, the rest of k beyond whole vectors, and the bias; stores `count` results. */
function finishRow(
  s0: v128,
  s1: v128,
  s2: v128,
  s3: v128,
  x: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  b3: usize,
  from: i32,
  k: i32,
  c: usize,
  at: i32,
  bias: usize,
  j: i32,
  count: i32,
): void {
  let sum = sumEach(s0, s1, s2, s3);
  for (let p = from; p < k; p++) {
    const o = (<usize>p) << 2;
    const w = f32x4(load<f32>(b0 + o), load<f32>(b1 + o), load<f32>(b2 + o), load<f32>(b3 + o));
    sum = f32x4.add(sum, f32x4.mul(v128.load_splat<f32>(x + o), w));
  }
  // the bias is padded to whole vectors, as every tensor is
  if (bias != 0) sum = f32x4.add(sum, v128.load(bias + ((<usize>j) << 2)));
  const to = c + ((<usize>at) << 2);
  if (count == 4) {
    v128.store(to, sum);
    return;
  }
  store<f32>(to, f32x4.extract_lane(sum, 0));
  if (count > 1) store<f32>(to, f32x4.extract_lane(sum, 1), 4);
  if (count > 2) store<f32>(to, f32x4.extract_lane(sum, 2), 8);
}

/**
 * C[m, n] = A[m, k] · B[k, n] for few rows of A (any strides) and contiguous rows of B, nothing packed.
 * Items are groups of 32 columns.
 */
export function gemmFewRowsPlain(
  a: usize,
  aRowStride: i32,
  aColumnStride: i32,
  b: usize,
  bRowStride: i32,
  c: usize,
  ldc: i32,
  bias: usize,
  m: i32,
  n: i32,
  k: i32,
  begin: i32,
  end: i32,
): void {
  const bs = (<usize>bRowStride) << 2;
  const as = (<usize>aColumnStride) << 2;
  for (let item = begin; item < end; item++) {
    const j0 = item << 5;
    for (let i = 0; i < m; i++) {
      const x = a + ((<usize>(i * aRowStride)) << 2);
      let j = j0;
      const to = c + ((<usize>(i * ldc)) << 2);
      if (j + 32 <= n) {
        let s0 = f32x4.splat(0);
        let s1 = s0;
        let s2 = s0;
        let s3 = s0;
        let s4 = s0;
        let s5 = s0;
        let s6 = s0;
        let s7 = s0;
        let q = b + ((<usize>j) << 2);
        let y = x;
        for (let p = 0; p < k; p++) {
          const v = v128.load_splat<f32>(y);
          s0 = f32x4.add(s0, f32x4.mul(v, v128.load(q)));
          s1 = f32x4.add(s1, f32x4.mul(v, v128.load(q, 16)));
          s2 = f32x4.add(s2, f32x4.mul(v, v128.load(q, 32)));
          s3 = f32x4.add(s3, f32x4.mul(v, v128.load(q, 48)));
          s4 = f32x4.add(s4, f32x4.mul(v, v128.load(q, 64)));
          s5 = f32x4.add(s5, f32x4.mul(v, v128.load(q, 80)));
          s6 = f32x4.add(s6, f32x4.mul(v, v128.load(q, 96)));
          s7 = f32x4.add(s7, f32x4.mul(v, v128.load(q, 112)));
          q += bs;
          y += as;
        }
        const o = to + ((<usize>j) << 2);
        v128.store(o, s0);
        v128.store(o, s1, 16);
        v128.store(o, s2, 32);
        v128.store(o, s3, 48);
        v128.store(o, s4, 64);
        v128.store(o, s5, 80);
        v128.store(o, s6, 96);
        v128.store(o, s7, 112);
        j += 32;
      } else {
        for (; j < n; j++) {
          let sum: f32 = 0;
          let q = b + ((<usize>j) << 2);
          let y = x;
          for (let p = 0; p < k; p++) {
            sum += load<f32>(y) * load<f32>(q);
            q += bs;
            y += as;
          }
          store<f32>(to + ((<usize>j) << 2), sum);
        }
      }
      if (bias != 0) addBias(to + ((<usize>j0) << 2), 0, bias + ((<usize>j0) << 2), 1, min(32, n - j0));
    }
  }
}
