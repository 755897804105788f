/** Mathematics on four float32 lanes. No fused or relaxed instructions: the same bits on every machine. */

/** The sum of the lanes, in the order (0 + 2) + (1 + 3). */
// @ts-ignore: decorator
@inline
export function sumLanes(x: v128): f32 {
  const pair = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

// @ts-ignore: decorator
@inline
export function maxLanes(x: v128): f32 {
  const pair = f32x4.max(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return max(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
}

// @ts-ignore: decorator
@inline
export function minLanes(x: v128): f32 {
  const pair = f32x4.min(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return min(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
}

/** The sums of the lanes of four vectors, as one vector. */
// @ts-ignore: decorator
@inline
export function sumEach(s0: v128, s1: v128, s2: v128, s3: v128): v128 {
  const t0 = v128.shuffle<f32>(s0, s1, 0, 4, 1, 5);
  const t1 = v128.shuffle<f32>(s0, s1, 2, 6, 3, 7);
  const t2 = v128.shuffle<f32>(s2, s3, 0, 4, 1, 5);
  const t3 = v128.shuffle<f32>(s2, s3, 2, 6, 3, 7);
  return f32x4.add(
    f32x4.add(v128.shuffle<f32>(t0, t2, 0, 1, 4, 5), v128.shuffle<f32>(t0, t2, 2, 3, 6, 7)),
    f32x4.add(v128.shuffle<f32>(t1, t3, 0, 1, 4, 5), v128.shuffle<f32>(t1, t3, 2, 3, 6, 7)),
  );
}

/** Transposes a block of 4 × 4 elements; strides of rows in bytes. */
// @ts-ignore: decorator
@inline
export function transpose4(from: usize, fromStride: usize, to: usize, toStride: usize): void {
  const r0 = v128.load(from);
  const r1 = v128.load(from + fromStride);
  const r2 = v128.load(from + 2 * fromStride);
  const r3 = v128.load(from + 3 * fromStride);
  const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const t1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const t2 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(t0, t2, 0, 1, 4, 5));
  v128.store(to + toStride, v128.shuffle<f32>(t0, t2, 2, 3, 6, 7));
  v128.store(to + 2 * toStride, v128.shuffle<f32>(t1, t3, 0, 1, 4, 5));
  v128.store(to + 3 * toStride, v128.shuffle<f32>(t1, t3, 2, 3, 6, 7));
}

/**
 * Constants, each four times. V8 makes a vector constant anew at every use, in four instructions, where a load is
 * one: with them in memory exp4 is twice as fast. Every thread writes the same bytes here when it starts.
 */
// prettier-ignore
const EXP = memory.data<f32>([
  89.5, 89.5, 89.5, 89.5,
  -104.5, -104.5, -104.5, -104.5,
  1.44269504088896341, 1.44269504088896341, 1.44269504088896341, 1.44269504088896341,
  12582912, 12582912, 12582912, 12582912,
  0.693359375, 0.693359375, 0.693359375, 0.693359375,
  -2.12194440e-4, -2.12194440e-4, -2.12194440e-4, -2.12194440e-4,
  1.9875691500e-4, 1.9875691500e-4, 1.9875691500e-4, 1.9875691500e-4,
  1.3981999507e-3, 1.3981999507e-3, 1.3981999507e-3, 1.3981999507e-3,
  8.3334519073e-3, 8.3334519073e-3, 8.3334519073e-3, 8.3334519073e-3,
  4.1665795894e-2, 4.1665795894e-2, 4.1665795894e-2, 4.1665795894e-2,
  1.6666665459e-1, 1.6666665459e-1, 1.6666665459e-1, 1.6666665459e-1,
  5.0000001201e-1, 5.0000001201e-1, 5.0000001201e-1, 5.0000001201e-1,
  1, 1, 1, 1,
  -87, -87, -87, -87,
], 16);
// prettier-ignore
const EXP_BITS = memory.data<i32>([
  0x4b400000, 0x4b400000, 0x4b400000, 0x4b400000,
  127, 127, 127, 127,
  127 - 0x4b400000, 127 - 0x4b400000, 127 - 0x4b400000, 127 - 0x4b400000,
], 16);

/** The vector 1, 1, 1, 1. */
// @ts-ignore: decorator
@inline
export function one4(): v128 {
  return v128.load(EXP, 192);
}

// @ts-ignore: decorator
@inline
function c(x: f32): v128 {
  return f32x4.splat(x);
}

/**
 * eʳ of what is left of x when n·ln 2 is taken away, |r| ≤ ln 2 / 2: a polynomial of degree 6 (coefficients of
 * Cephes' expf). `shifted` is 1.5·2²³ + x / ln 2: the sum rounds to an integer, n, and leaves it in the low bits.
 */
// @ts-ignore: decorator
@inline
function expFraction4(x: v128, shifted: v128): v128 {
  const n = f32x4.sub(shifted, v128.load(EXP, 48));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, v128.load(EXP, 64))), f32x4.mul(n, v128.load(EXP, 80)));
  // Estrin's order: pairs first, which halves the chain of dependent operations
  const r2 = f32x4.mul(r, r);
  const high = f32x4.add(f32x4.mul(v128.load(EXP, 96), r), v128.load(EXP, 112));
  const middle = f32x4.add(f32x4.mul(v128.load(EXP, 128), r), v128.load(EXP, 144));
  const low = f32x4.add(f32x4.mul(v128.load(EXP, 160), r), v128.load(EXP, 176));
  const p = f32x4.add(f32x4.mul(f32x4.add(f32x4.mul(high, r2), middle), r2), low);
  return f32x4.add(f32x4.add(f32x4.mul(p, r2), r), v128.load(EXP, 192));
}

/** eˣ = 2ⁿ·eʳ, with 2ⁿ in two factors so that overflow gives infinity and underflow denormals. Error at most 2 ulp. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(x, v128.load(EXP)), v128.load(EXP, 16));
  const shifted = f32x4.add(f32x4.mul(x, v128.load(EXP, 32)), v128.load(EXP, 48));
  const p = expFraction4(x, shifted);
  const exponent = i32x4.sub(shifted, v128.load(EXP_BITS));
  const half = i32x4.shr_s(exponent, 1);
  const first = i32x4.shl(i32x4.add(half, v128.load(EXP_BITS, 16)), 23);
  const second = i32x4.shl(i32x4.add(i32x4.sub(exponent, half), v128.load(EXP_BITS, 16)), 23);
  return f32x4.mul(f32x4.mul(p, first), second);
}

/** eˣ for x ≤ 0, as softmax needs it: below −87 it stays at e⁻⁸⁷, so that 2ⁿ is one factor. Error at most 2 ulp. */
// @ts-ignore: decorator
@inline
export function expNegative4(x: v128): v128 {
  x = f32x4.pmax(x, v128.load(EXP, 208));
  const shifted = f32x4.add(f32x4.mul(x, v128.load(EXP, 32)), v128.load(EXP, 48));
  return f32x4.mul(expFraction4(x, shifted), i32x4.shl(i32x4.add(shifted, v128.load(EXP_BITS, 32)), 23));
}

/** ln x: x = 2ᵉ·m with m in [√½, √2), and Cephes' polynomial for ln m. −∞ at 0, NaN below. Error at most 2 ulp. */
// @ts-ignore: decorator
@inline
export function log4(x: v128): v128 {
  const tiny = f32x4.lt(x, c(1.17549435e-38));
  // denormals are brought into the normal range first
  let m = v128.bitselect(f32x4.mul(x, c(8388608)), x, tiny);
  const bias = v128.bitselect(i32x4.splat(127 + 23), i32x4.splat(127), tiny);
  let e = i32x4.sub(i32x4.shr_u(m, 23), bias);
  m = v128.or(v128.and(m, i32x4.splat(0x007fffff)), i32x4.splat(0x3f800000));
  const large = f32x4.gt(m, c(1.41421356));
  m = v128.bitselect(f32x4.mul(m, c(0.5)), m, large);
  // a true lane is −1 as an integer
  e = i32x4.sub(e, large);
  const f = f32x4.sub(m, c(1));
  const z = f32x4.mul(f, f);
  let p = c(7.0376836292e-2);
  p = f32x4.add(f32x4.mul(p, f), c(-1.1514610310e-1));
  p = f32x4.add(f32x4.mul(p, f), c(1.1676998740e-1));
  p = f32x4.add(f32x4.mul(p, f), c(-1.2420140846e-1));
  p = f32x4.add(f32x4.mul(p, f), c(1.4249322787e-1));
  p = f32x4.add(f32x4.mul(p, f), c(-1.6668057665e-1));
  p = f32x4.add(f32x4.mul(p, f), c(2.0000714765e-1));
  p = f32x4.add(f32x4.mul(p, f), c(-2.4999993993e-1));
  p = f32x4.add(f32x4.mul(p, f), c(3.3333331174e-1));
  const exponent = f32x4.convert_i32x4_s(e);
  let y = f32x4.mul(f32x4.mul(p, f), z);
  y = f32x4.add(y, f32x4.mul(exponent, c(-2.12194440e-4)));
  y = f32x4.sub(y, f32x4.mul(z, c(0.5)));
  y = f32x4.add(f32x4.add(f, y), f32x4.mul(exponent, c(0.693359375)));
  y = v128.bitselect(c(-Infinity), y, f32x4.eq(x, c(0)));
  y = v128.bitselect(c(NaN), y, v128.or(f32x4.lt(x, c(0)), f32x4.ne(x, x)));
  return v128.bitselect(x, y, f32x4.eq(x, c(Infinity)));
}

/** 1 / (1 + e⁻ˣ). */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  return f32x4.div(one4(), f32x4.add(one4(), exp4(f32x4.neg(x))));
}

/** tanh x: a polynomial below 0.625 (Cephes' tanhf), 1 − 2 / (e²ˣ + 1) above. Error at most 2 ulp. */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const a = f32x4.abs(x);
  const z = f32x4.mul(x, x);
  let p = c(-5.70498872745e-3);
  p = f32x4.add(f32x4.mul(p, z), c(2.06390887954e-2));
  p = f32x4.add(f32x4.mul(p, z), c(-5.37397155531e-2));
  p = f32x4.add(f32x4.mul(p, z), c(1.33314422036e-1));
  p = f32x4.add(f32x4.mul(p, z), c(-3.33332819422e-1));
  const near = f32x4.add(f32x4.mul(f32x4.mul(p, z), x), x);
  const e = exp4(f32x4.add(a, a));
  const far = f32x4.sub(c(1), f32x4.div(c(2), f32x4.add(e, c(1))));
  const signed = v128.or(far, v128.and(x, i32x4.splat(0x80000000)));
  return v128.bitselect(near, signed, f32x4.lt(a, c(0.625)));
}

/** Advances the odometer of an outer index: the element offset of row `row` under the strides in column `column`. */
// @ts-ignore: decorator
@inline
export function offsetOf(row: i32, rank: i32, table: usize, column: i32): i32 {
  let offset = 0;
  for (let axis = 0; axis < rank; axis++) {
    const entry = table + (<usize>axis * 12);
    const dimension = load<i32>(entry);
    offset += (row % dimension) * load<i32>(entry + (<usize>column << 2));
    row /= dimension;
  }
  return offset;
}
