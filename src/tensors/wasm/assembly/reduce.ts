/** Reductions of [outer, length, inner] over the middle axis. */
import { exp4, maxLanes, minLanes, sumLanes } from './vector';

// @ts-ignore: decorator
@inline
function combine(op: i32, x: v128, y: v128): v128 {
  if (op == 0) return f32x4.add(x, y);
  if (op == 1) return f32x4.max(x, y);
  return f32x4.min(x, y);
}

// @ts-ignore: decorator
@inline
function combineOne(op: i32, x: f32, y: f32): f32 {
  if (op == 0) return x + y;
  if (op == 1) return max(x, y);
  return min(x, y);
}

// @ts-ignore: decorator
@inline
function start(op: i32): f32 {
  if (op == 0) return 0;
  return op == 1 ? -Infinity : Infinity;
}

/** out[row] = scale · reduce(x[row, :]). */
// @ts-ignore: decorator
@inline
function reduceRows(op: i32, x: usize, out: usize, length: i32, scale: f32, begin: i32, end: i32): void {
  for (let row = begin; row < end; row++) {
    const p = x + ((<usize>row * length) << 2);
    let s0 = f32x4.splat(start(op));
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let i = 0;
    for (; i + 16 <= length; i += 16) {
      const at = p + (<usize>i << 2);
      s0 = combine(op, s0, v128.load(at));
      s1 = combine(op, s1, v128.load(at, 16));
      s2 = combine(op, s2, v128.load(at, 32));
      s3 = combine(op, s3, v128.load(at, 48));
    }
    for (; i + 4 <= length; i += 4) s0 = combine(op, s0, v128.load(p + (<usize>i << 2)));
    s0 = combine(op, combine(op, s0, s1), combine(op, s2, s3));
    let total = op == 0 ? sumLanes(s0) : op == 1 ? maxLanes(s0) : minLanes(s0);
    for (; i < length; i++) total = combineOne(op, total, load<f32>(p + (<usize>i << 2)));
    store<f32>(out + (<usize>row << 2), op == 0 ? total * scale : total);
  }
}

/** out[o, j] = scale · reduce over r of x[o, r, j]; items are (o, group of 32 columns). */
// @ts-ignore: decorator
@inline
function reduceColumns(
  op: i32, x: usize, out: usize, length: i32, inner: i32, scale: f32, begin: i32, end: i32,
): void {
  const groups = (inner + 31) >> 5;
  const stride = <usize>inner << 2;
  for (let item = begin; item < end; item++) {
    const o = item / groups;
    let j = (item % groups) << 5;
    const last = min(inner, j + 32);
    for (; j + 8 <= last; j += 8) {
      let p = x + ((<usize>o * length * inner + j) << 2);
      // two chains for each vector: even and odd rows
      let s0 = f32x4.splat(start(op));
      let s1 = s0;
      let t0 = s0;
      let t1 = s0;
      let r = 0;
      for (; r + 2 <= length; r += 2) {
        s0 = combine(op, s0, v128.load(p));
        s1 = combine(op, s1, v128.load(p, 16));
        p += stride;
        t0 = combine(op, t0, v128.load(p));
        t1 = combine(op, t1, v128.load(p, 16));
        p += stride;
      }
      if (r < length) {
        s0 = combine(op, s0, v128.load(p));
        s1 = combine(op, s1, v128.load(p, 16));
      }
      s0 = combine(op, s0, t0);
      s1 = combine(op, s1, t1);
      if (op == 0) {
        s0 = f32x4.mul(s0, f32x4.splat(scale));
        s1 = f32x4.mul(s1, f32x4.splat(scale));
      }
      const to = out + ((<usize>o * inner + j) << 2);
      v128.store(to, s0);
      v128.store(to, s1, 16);
    }
    for (; j < last; j++) {
      let p = x + ((<usize>o * length * inner + j) << 2);
      let total = start(op);
      for (let r = 0; r < length; r++) {
        total = combineOne(op, total, load<f32>(p));
        p += stride;
      }
      store<f32>(out + ((<usize>o * inner + j) << 2), op == 0 ? total * scale : total);
    }
  }
}

export function sumRows(x: usize, out: usize, length: i32, scale: f32, begin: i32, end: i32): void {
  reduceRows(0, x, out, length, scale, begin, end);
}
export function maxRows(x: usize, out: usize, length: i32, scale: f32, begin: i32, end: i32): void {
  reduceRows(1, x, out, length, scale, begin, end);
}
export function minRows(x: usize, out: usize, length: i32, scale: f32, begin: i32, end: i32): void {
  reduceRows(2, x, out, length, scale, begin, end);
}
export function sumColumns(x: usize, out: usize, length: i32, inner: i32, scale: f32, begin: i32, end: i32): void {
  reduceColumns(0, x, out, length, inner, scale, begin, end);
}
export function maxColumns(x: usize, out: usize, length: i32, inner: i32, scale: f32, begin: i32, end: i32): void {
  reduceColumns(1, x, out, length, inner, scale, begin, end);
}
export function minColumns(x: usize, out: usize, length: i32, inner: i32, scale: f32, begin: i32, end: i32): void {
  reduceColumns(2, x, out, length, inner, scale, begin, end);
}

/** The index of the first largest (sign 1) or smallest (sign −1) element of each row; NaN is never larger. */
export function argRows(x: usize, out: usize, length: i32, sign: f32, begin: i32, end: i32): void {
  for (let row = begin; row < end; row++) {
    const p = x + ((<usize>row * length) << 2);
    let best = load<f32>(p) * sign;
    let at = 0;
    for (let i = 1; i < length; i++) {
      const value = load<f32>(p + (<usize>i << 2)) * sign;
      if (value > best) {
        best = value;
        at = i;
      }
    }
    store<i32>(out + (<usize>row << 2), at);
  }
}

/** softmax of each row, in place of nothing: out may be x. */
export function softmaxRows(x: usize, out: usize, length: i32, begin: i32, end: i32): void {
  for (let row = begin; row < end; row++) {
    const p = x + ((<usize>row * length) << 2);
    const q = out + ((<usize>row * length) << 2);
    let top = load<f32>(p);
    for (let i = 1; i < length; i++) top = max(top, load<f32>(p + (<usize>i << 2)));
    const shift = f32x4.splat(top);
    let sums = f32x4.splat(0);
    let i = 0;
    for (; i + 4 <= length; i += 4) {
      const e = exp4(f32x4.sub(v128.load(p + (<usize>i << 2)), shift));
      v128.store(q + (<usize>i << 2), e);
      sums = f32x4.add(sums, e);
    }
    let sum = sumLanes(sums);
    for (; i < length; i++) {
      const e = f32x4.extract_lane(exp4(f32x4.sub(v128.load_splat<f32>(p + (<usize>i << 2)), shift)), 0);
      store<f32>(q + (<usize>i << 2), e);
      sum += e;
    }
    const scale = <f32>1 / sum;
    const scales = f32x4.splat(scale);
    for (i = 0; i + 4 <= length; i += 4) {
      v128.store(q + (<usize>i << 2), f32x4.mul(v128.load(q + (<usize>i << 2)), scales));
    }
    for (; i < length; i++) store<f32>(q + (<usize>i << 2), load<f32>(q + (<usize>i << 2)) * scale);
  }
}
