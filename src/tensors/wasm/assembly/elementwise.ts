/**
 * Elementwise kernels. Each exported function is the one loop below it with the operation filled in: the
 * operation's number is a constant there, so that the compiler keeps one branch of `apply1` and `apply2`.
 */
import { exp4, log4, offsetOf, sigmoid4, tanh4 } from './vector';

// @ts-ignore: decorator
@inline
function apply1(op: i32, x: v128): v128 {
  if (op == 0) return f32x4.neg(x);
  if (op == 1) return f32x4.abs(x);
  if (op == 2) return exp4(x);
  if (op == 3) return log4(x);
  if (op == 4) return f32x4.sqrt(x);
  if (op == 5) return f32x4.div(f32x4.splat(1), f32x4.sqrt(x));
  if (op == 6) return f32x4.mul(x, x);
  if (op == 7) return f32x4.div(f32x4.splat(1), x);
  if (op == 8) return sigmoid4(x);
  if (op == 9) return tanh4(x);
  if (op == 10) return f32x4.max(x, f32x4.splat(0));
  if (op == 11) return f32x4.floor(x);
  if (op == 12) return f32x4.ceil(x);
  return f32x4.nearest(x);
}

/** out[i] = op(x[i]) for i in [begin, end), begin a multiple of 4; the padding after the last may be written. */
// @ts-ignore: decorator
@inline
function map1(op: i32, x: usize, out: usize, begin: i32, end: i32): void {
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) v128.store(out + at, apply1(op, v128.load(x + at)));
}

export function neg(x: usize, out: usize, begin: i32, end: i32): void { map1(0, x, out, begin, end); }
export function abs(x: usize, out: usize, begin: i32, end: i32): void { map1(1, x, out, begin, end); }
export function exp(x: usize, out: usize, begin: i32, end: i32): void { map1(2, x, out, begin, end); }
export function log(x: usize, out: usize, begin: i32, end: i32): void { map1(3, x, out, begin, end); }
export function sqrt(x: usize, out: usize, begin: i32, end: i32): void { map1(4, x, out, begin, end); }
export function rsqrt(x: usize, out: usize, begin: i32, end: i32): void { map1(5, x, out, begin, end); }
export function square(x: usize, out: usize, begin: i32, end: i32): void { map1(6, x, out, begin, end); }
export function reciprocal(x: usize, out: usize, begin: i32, end: i32): void { map1(7, x, out, begin, end); }
export function sigmoid(x: usize, out: usize, begin: i32, end: i32): void { map1(8, x, out, begin, end); }
export function tanh(x: usize, out: usize, begin: i32, end: i32): void { map1(9, x, out, begin, end); }
export function relu(x: usize, out: usize, begin: i32, end: i32): void { map1(10, x, out, begin, end); }
export function floor(x: usize, out: usize, begin: i32, end: i32): void { map1(11, x, out, begin, end); }
export function ceil(x: usize, out: usize, begin: i32, end: i32): void { map1(12, x, out, begin, end); }
export function round(x: usize, out: usize, begin: i32, end: i32): void { map1(13, x, out, begin, end); }

export function clip(x: usize, out: usize, low: f32, high: f32, begin: i32, end: i32): void {
  const l = f32x4.splat(low);
  const h = f32x4.splat(high);
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) {
    v128.store(out + at, f32x4.max(l, f32x4.min(h, v128.load(x + at))));
  }
}

// @ts-ignore: decorator
@inline
function apply2(op: i32, x: v128, y: v128): v128 {
  if (op == 0) return f32x4.add(x, y);
  if (op == 1) return f32x4.sub(x, y);
  if (op == 2) return f32x4.mul(x, y);
  if (op == 3) return f32x4.div(x, y);
  if (op == 4) return f32x4.max(x, y);
  if (op == 5) return f32x4.min(x, y);
  if (op == 6) return f32x4.mul(f32x4.sub(x, y), f32x4.sub(x, y));
  if (op == 10) return i32x4.add(x, y);
  if (op == 11) return i32x4.sub(x, y);
  if (op == 12) return i32x4.mul(x, y);
  if (op == 13) return i32x4.max_s(x, y);
  if (op == 14) return i32x4.min_s(x, y);
  if (op == 20) return f32x4.eq(x, y);
  if (op == 21) return f32x4.ne(x, y);
  if (op == 22) return f32x4.lt(x, y);
  if (op == 23) return f32x4.le(x, y);
  if (op == 24) return f32x4.gt(x, y);
  if (op == 25) return f32x4.ge(x, y);
  if (op == 30) return i32x4.eq(x, y);
  if (op == 31) return i32x4.ne(x, y);
  if (op == 32) return i32x4.lt_s(x, y);
  if (op == 33) return i32x4.le_s(x, y);
  if (op == 34) return i32x4.gt_s(x, y);
  return i32x4.ge_s(x, y);
}

/** One byte, 0 or 1, for each lane of a mask, in the low 32 bits. */
// @ts-ignore: decorator
@inline
function maskBytes(mask: v128): i32 {
  const words = i16x8.narrow_i32x4_s(mask, mask);
  return i32x4.extract_lane(i8x16.narrow_i16x8_s(words, words), 0) & 0x01010101;
}

/** Operations from 20 on are comparisons: their results are bytes. */
// @ts-ignore: decorator
@inline
function put(op: i32, out: usize, i: i32, value: v128): void {
  if (op < 20) v128.store(out + (<usize>i << 2), value);
  else store<i32>(out + <usize>i, maskBytes(value));
}

// @ts-ignore: decorator
@inline
function putOne(op: i32, out: usize, i: i32, value: v128): void {
  if (op < 20) store<i32>(out + (<usize>i << 2), i32x4.extract_lane(value, 0));
  else store<u8>(out + <usize>i, i32x4.extract_lane(value, 0) & 1);
}

/**
 * out = op(a, b) over rows [begin, end) of `inner` elements. aStep and bStep are 1, or 0 where the operand is
 * repeated along the row. Outer axes, innermost first, are in the table as (dimension, stride of a, stride of b).
 * Without outer axes, items are elements instead of rows, and whole vectors are written up to the padding.
 */
// @ts-ignore: decorator
@inline
function map2(
  op: i32, a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize,
  begin: i32, end: i32,
): void {
  if (rank == 0) {
    if (aStep == 1 && bStep == 1) {
      for (let i = begin; i < end; i += 4) {
        put(op, out, i, apply2(op, v128.load(a + (<usize>i << 2)), v128.load(b + (<usize>i << 2))));
      }
    } else if (aStep == 1) {
      const y = v128.load_splat<f32>(b);
      for (let i = begin; i < end; i += 4) put(op, out, i, apply2(op, v128.load(a + (<usize>i << 2)), y));
    } else {
      const x = v128.load_splat<f32>(a);
      for (let i = begin; i < end; i += 4) {
        put(op, out, i, apply2(op, x, bStep == 1 ? v128.load(b + (<usize>i << 2)) : v128.load_splat<f32>(b)));
      }
    }
    return;
  }
  const vectors = inner & ~3;
  for (let row = begin; row < end; row++) {
    const p = a + (<usize>offsetOf(row, rank, table, 1) << 2);
    const q = b + (<usize>offsetOf(row, rank, table, 2) << 2);
    const o = row * inner;
    if (aStep == 1 && bStep == 1) {
      for (let i = 0; i < vectors; i += 4) {
        put(op, out, o + i, apply2(op, v128.load(p + (<usize>i << 2)), v128.load(q + (<usize>i << 2))));
      }
    } else if (aStep == 1) {
      const y = v128.load_splat<f32>(q);
      for (let i = 0; i < vectors; i += 4) put(op, out, o + i, apply2(op, v128.load(p + (<usize>i << 2)), y));
    } else {
      const x = v128.load_splat<f32>(p);
      for (let i = 0; i < vectors; i += 4) put(op, out, o + i, apply2(op, x, v128.load(q + (<usize>i << 2))));
    }
    for (let i = vectors; i < inner; i++) {
      const x = v128.load_splat<f32>(p + (<usize>(i * aStep) << 2));
      const y = v128.load_splat<f32>(q + (<usize>(i * bStep) << 2));
      putOne(op, out, o + i, apply2(op, x, y));
    }
  }
}

export function add(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(0, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function sub(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(1, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function mul(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(2, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function div(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(3, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function maximum(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(4, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function minimum(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(5, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function squaredDifference(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(6, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function addInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(10, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function subInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(11, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function mulInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(12, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function maximumInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(13, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function minimumInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(14, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function equal(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(20, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function notEqual(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(21, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function less(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(22, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function lessEqual(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(23, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function greater(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(24, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function greaterEqual(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(25, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function equalInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(30, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function notEqualInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(31, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function lessInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(32, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function lessEqualInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(33, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function greaterInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(34, a, b, out, inner, aStep, bStep, rank, table, begin, end); }
export function greaterEqualInt(
  a: usize, b: usize, out: usize, inner: i32, aStep: i32, bStep: i32, rank: i32, table: usize, begin: i32, end: i32,
): void { map2(35, a, b, out, inner, aStep, bStep, rank, table, begin, end); }

/** out[i] = condition[i] ? a[i] : b[i]; condition is bytes. */
export function select(condition: usize, a: usize, b: usize, out: usize, begin: i32, end: i32): void {
  const zero = i32x4.splat(0);
  for (let i = begin; i < end; i += 4) {
    const at = <usize>i << 2;
    const bytes = v128.load32_zero(condition + <usize>i);
    const mask = i32x4.ne(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes)), zero);
    v128.store(out + at, v128.bitselect(v128.load(a + at), v128.load(b + at), mask));
  }
}

export function castFloatToInt(x: usize, out: usize, begin: i32, end: i32): void {
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) {
    v128.store(out + at, i32x4.trunc_sat_f32x4_s(v128.load(x + at)));
  }
}

export function castIntToFloat(x: usize, out: usize, begin: i32, end: i32): void {
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) {
    v128.store(out + at, f32x4.convert_i32x4_s(v128.load(x + at)));
  }
}

export function castBoolToInt(x: usize, out: usize, begin: i32, end: i32): void {
  for (let i = begin; i < end; i++) store<i32>(out + (<usize>i << 2), load<u8>(x + <usize>i));
}

export function castBoolToFloat(x: usize, out: usize, begin: i32, end: i32): void {
  for (let i = begin; i < end; i++) store<f32>(out + (<usize>i << 2), <f32>load<u8>(x + <usize>i));
}

/** Fills four-byte elements with the bits of a float32. */
export function fillFloat(out: usize, value: f32, begin: i32, end: i32): void {
  const v = f32x4.splat(value);
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) v128.store(out + at, v);
}

export function fillInt(out: usize, value: i32, begin: i32, end: i32): void {
  const v = i32x4.splat(value);
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) v128.store(out + at, v);
}
