/** The named kernels of a decoder that work row by row or element by element. */
import { exp4, log4, maxLanes, one4, sigmoid4, sumLanes, tanh4 } from './vector';

/** 1 / √(mean of squares + epsilon) of a row. */
// @ts-ignore: decorator
@inline
function inverseRms(x: usize, d: i32, epsilon: f32): f32 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let j = 0;
  for (; j + 8 <= d; j += 8) {
    const u = v128.load(x + (<usize>j << 2));
    const v = v128.load(x + (<usize>j << 2), 16);
    s0 = f32x4.add(s0, f32x4.mul(u, u));
    s1 = f32x4.add(s1, f32x4.mul(v, v));
  }
  let sum = sumLanes(f32x4.add(s0, s1));
  for (; j < d; j++) {
    const u = load<f32>(x + (<usize>j << 2));
    sum += u * u;
  }
  return <f32>1 / sqrt<f32>(sum / <f32>d + epsilon);
}

export function rmsNorm(x: usize, weight: usize, out: usize, d: i32, epsilon: f32, begin: i32, end: i32): void {
  for (let row = begin; row < end; row++) {
    const p = x + ((<usize>row * d) << 2);
    const q = out + ((<usize>row * d) << 2);
    const scale = inverseRms(p, d, epsilon);
    const scales = f32x4.splat(scale);
    let j = 0;
    for (; j + 4 <= d; j += 4) {
      const at = <usize>j << 2;
      v128.store(q + at, f32x4.mul(f32x4.mul(v128.load(p + at), scales), v128.load(weight + at)));
    }
    for (; j < d; j++) {
      const at = <usize>j << 2;
      store<f32>(q + at, load<f32>(p + at) * scale * load<f32>(weight + at));
    }
  }
}

/** dx = r·(w∘dy) − x · r³ · Σ(w∘dy∘x) / d with r = 1 / rms. */
export function rmsNormGrad(
  dy: usize, x: usize, weight: usize, out: usize, d: i32, epsilon: f32, begin: i32, end: i32,
): void {
  for (let row = begin; row < end; row++) {
    const offset = (<usize>row * d) << 2;
    const g = dy + offset;
    const p = x + offset;
    const q = out + offset;
    const r = inverseRms(p, d, epsilon);
    let sums = f32x4.splat(0);
    let j = 0;
    for (; j + 4 <= d; j += 4) {
      const at = <usize>j << 2;
      sums = f32x4.add(sums, f32x4.mul(f32x4.mul(v128.load(g + at), v128.load(weight + at)), v128.load(p + at)));
    }
    let sum = sumLanes(sums);
    for (; j < d; j++) {
      const at = <usize>j << 2;
      sum += load<f32>(g + at) * load<f32>(weight + at) * load<f32>(p + at);
    }
    const k = r * r * r * (sum / <f32>d);
    const rs = f32x4.splat(r);
    const ks = f32x4.splat(k);
    for (j = 0; j + 4 <= d; j += 4) {
      const at = <usize>j << 2;
      const wg = f32x4.mul(v128.load(g + at), v128.load(weight + at));
      v128.store(q + at, f32x4.sub(f32x4.mul(wg, rs), f32x4.mul(v128.load(p + at), ks)));
    }
    for (; j < d; j++) {
      const at = <usize>j << 2;
      store<f32>(q + at, load<f32>(g + at) * load<f32>(weight + at) * r - load<f32>(p + at) * k);
    }
  }
}

/** (a, b) → (a·cos − b·sin, b·cos + a·sin) for the halves a, b of each head. */
export function rotaryEmbedding(
  x: usize, cos: usize, sin: usize, out: usize, heads: i32, headDim: i32, begin: i32, end: i32,
): void {
  const half = headDim >> 1;
  const h = <usize>half << 2;
  for (let row = begin; row < end; row++) {
    const c = cos + ((<usize>row * half) << 2);
    const s = sin + ((<usize>row * half) << 2);
    for (let head = 0; head < heads; head++) {
      const offset = (<usize>(row * heads + head) * headDim) << 2;
      const p = x + offset;
      const q = out + offset;
      let j = 0;
      for (; j + 4 <= half; j += 4) {
        const at = <usize>j << 2;
        const a = v128.load(p + at);
        const b = v128.load(p + h + at);
        const cs = v128.load(c + at);
        const sn = v128.load(s + at);
        v128.store(q + at, f32x4.sub(f32x4.mul(a, cs), f32x4.mul(b, sn)));
        v128.store(q + h + at, f32x4.add(f32x4.mul(b, cs), f32x4.mul(a, sn)));
      }
      for (; j < half; j++) {
        const at = <usize>j << 2;
        const a = load<f32>(p + at);
        const b = load<f32>(p + h + at);
        const cs = load<f32>(c + at);
        const sn = load<f32>(s + at);
        store<f32>(q + at, a * cs - b * sn);
        store<f32>(q + h + at, b * cs + a * sn);
      }
    }
  }
}

export function swiGlu(gate: usize, up: usize, out: usize, begin: i32, end: i32): void {
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) {
    const g = v128.load(gate + at);
    v128.store(out + at, f32x4.mul(f32x4.mul(g, sigmoid4(g)), v128.load(up + at)));
  }
}

/** dup = dy·silu(gate); dgate = dy·up·σ·(1 + gate·(1 − σ)). */
export function swiGluGrad(
  dy: usize, gate: usize, up: usize, dGate: usize, dUp: usize, begin: i32, end: i32,
): void {
  const one = f32x4.splat(1);
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) {
    const d = v128.load(dy + at);
    const g = v128.load(gate + at);
    const s = sigmoid4(g);
    v128.store(dUp + at, f32x4.mul(d, f32x4.mul(g, s)));
    const slope = f32x4.mul(s, f32x4.add(one, f32x4.mul(g, f32x4.sub(one, s))));
    v128.store(dGate + at, f32x4.mul(f32x4.mul(d, v128.load(up + at)), slope));
  }
}

/** tanh(√(2/π)·(x + 0.044715·x³)), the inner part of GELU's approximation. */
// @ts-ignore: decorator
@inline
function geluTanh4(x: v128): v128 {
  const cubic = f32x4.add(one4(), f32x4.mul(f32x4.splat(0.044715), f32x4.mul(x, x)));
  return tanh4(f32x4.mul(f32x4.mul(x, f32x4.splat(0.7978845608)), cubic));
}

/** gelu(gate)·up with gelu(x) = x/2·(1 + t), t as {@link geluTanh4} gives it. */
export function geGlu(gate: usize, up: usize, out: usize, begin: i32, end: i32): void {
  const half = f32x4.splat(0.5);
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) {
    const g = v128.load(gate + at);
    const gelu = f32x4.mul(f32x4.mul(g, half), f32x4.add(one4(), geluTanh4(g)));
    v128.store(out + at, f32x4.mul(gelu, v128.load(up + at)));
  }
}

/** dup = dy·gelu(gate); dgate = dy·up·½·(1 + t + gate·(1 − t²)·√(2/π)·(1 + 0.134145·gate²)). */
export function geGluGrad(
  dy: usize, gate: usize, up: usize, dGate: usize, dUp: usize, begin: i32, end: i32,
): void {
  const half = f32x4.splat(0.5);
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) {
    const d = v128.load(dy + at);
    const g = v128.load(gate + at);
    const t = geluTanh4(g);
    const risen = f32x4.add(one4(), t);
    v128.store(dUp + at, f32x4.mul(d, f32x4.mul(f32x4.mul(g, half), risen)));
    const inner = f32x4.mul(
      f32x4.splat(0.7978845608),
      f32x4.add(one4(), f32x4.mul(f32x4.splat(0.134145), f32x4.mul(g, g))),
    );
    const bend = f32x4.mul(f32x4.mul(g, f32x4.sub(one4(), f32x4.mul(t, t))), inner);
    const slope = f32x4.mul(half, f32x4.add(risen, bend));
    v128.store(dGate + at, f32x4.mul(f32x4.mul(d, v128.load(up + at)), slope));
  }
}

/** One step of AdamW in place. `shrink` = 1 − lr·weightDecay, `rate` = lr / (1 − β₁ᵗ), `root` = √(1 − β₂ᵗ). */
export function adamW(
  p: usize, g: usize, m: usize, v: usize, shrink: f32, rate: f32, root: f32,
  beta1: f32, rest1: f32, beta2: f32, rest2: f32, epsilon: f32, begin: i32, end: i32,
): void {
  const b1 = f32x4.splat(beta1);
  const c1 = f32x4.splat(rest1);
  const b2 = f32x4.splat(beta2);
  const c2 = f32x4.splat(rest2);
  const sh = f32x4.splat(shrink);
  const ra = f32x4.splat(rate);
  const ro = f32x4.splat(root);
  const ep = f32x4.splat(epsilon);
  for (let at = <usize>begin << 2; at < <usize>end << 2; at += 16) {
    const gradient = v128.load(g + at);
    const first = f32x4.add(f32x4.mul(v128.load(m + at), b1), f32x4.mul(gradient, c1));
    const second = f32x4.add(f32x4.mul(v128.load(v + at), b2), f32x4.mul(f32x4.mul(gradient, gradient), c2));
    v128.store(m + at, first);
    v128.store(v + at, second);
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(second), ro), ep);
    const update = f32x4.mul(f32x4.div(first, denominator), ra);
    v128.store(p + at, f32x4.sub(f32x4.mul(v128.load(p + at), sh), update));
  }
}

/** Rows [n, heads, width bytes] into cache [slots, heads, maxLength, width]; items are rows. */
export function kvCacheWrite(
  cache: usize, rows: usize, slots: usize, positions: usize, heads: i32, maxLength: i32, headDim: i32,
  begin: i32, end: i32,
): void {
  const width = <usize>headDim << 2;
  for (let i = begin; i < end; i++) {
    const slot = load<i32>(slots + (<usize>i << 2));
    const position = load<i32>(positions + (<usize>i << 2));
    for (let h = 0; h < heads; h++) {
      const to = cache + (<usize>(slot * heads + h) * maxLength + position) * width;
      memory.copy(to, rows + <usize>(i * heads + h) * width, width);
    }
  }
}

/**
 * Rows [n, width], each element zero with a probability, else x·keep, by 32 hashed bits of seed, the row's name and the
 * column (Wellons' "lowbias32"): dropped where bits < threshold.
 */
export function dropout(
  x: usize, out: usize, names: usize, width: i32, seed: i32, threshold: u32, keep: f32, begin: i32, end: i32,
): void {
  const scale = f32x4.splat(keep);
  const limit = i32x4.splat(threshold ^ 0x80000000);
  const sign = i32x4.splat(0x80000000);
  for (let row = begin; row < end; row++) {
    const first = <usize>row * width;
    const from = x + (first << 2);
    const to = out + (first << 2);
    const rowSeed = seed ^ load<i32>(names + (<usize>row << 2));
    const start = i32x4.splat(rowSeed);
    let column = i32x4(0, 1, 2, 3);
    let i = 0;
    for (; i + 4 <= width; i += 4) {
      let h = v128.xor(i32x4.mul(column, i32x4.splat(0x9e3779b9)), start);
      h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 16)), i32x4.splat(0x7feb352d));
      h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 15)), i32x4.splat(0x846ca68b));
      h = v128.xor(h, i32x4.shr_u(h, 16));
      // unsigned comparison through signed: both sides with the top bit flipped
      const kept = i32x4.ge_s(v128.xor(h, sign), limit);
      const at = <usize>i << 2;
      v128.store(to + at, v128.and(f32x4.mul(v128.load(from + at), scale), kept));
      column = i32x4.add(column, i32x4.splat(4));
    }
    // the next row begins where this one ends: no lane beyond
    for (; i < width; i++) {
      let h = <u32>((i * 0x9e3779b9) ^ rowSeed);
      h = (h ^ (h >> 16)) * 0x7feb352d;
      h = (h ^ (h >> 15)) * 0x846ca68b;
      h = h ^ (h >> 16);
      const at = <usize>i << 2;
      store<f32>(to + at, h >= threshold ? load<f32>(from + at) * keep : 0);
    }
  }
}

/**
 * One block of the vocabulary in an online softmax. logits [rows, width] become e^(logit − top); `state` keeps
 * (top, sum, label's logit, label's slope) of each row from block to block, and `mixture` [rows, d], the sum of head
 * rows weighted so far, is brought to the new top. `first` is the vocabulary index of the block.
 */
export function headSoftmax(
  logits: usize, width: i32, labels: usize, firstIndex: i32, state: usize, mixture: usize, d: i32,
  begin: i32, end: i32,
): void {
  for (let row = begin; row < end; row++) {
    const p = logits + ((<usize>row * width) << 2);
    const s = state + <usize>row * 16;
    const label = load<i32>(labels + (<usize>row << 2)) - firstIndex;
    if (label >= 0 && label < width) store<f32>(s, load<f32>(p + (<usize>label << 2)), 8);
    const before = load<f32>(s);
    let tops = f32x4.splat(before);
    let i = 0;
    for (; i + 4 <= width; i += 4) tops = f32x4.max(tops, v128.load(p + (<usize>i << 2)));
    let top = maxLanes(tops);
    for (; i < width; i++) top = max(top, load<f32>(p + (<usize>i << 2)));
    const shift = f32x4.splat(top);
    let sums = f32x4.splat(0);
    for (i = 0; i + 4 <= width; i += 4) {
      const e = exp4(f32x4.sub(v128.load(p + (<usize>i << 2)), shift));
      v128.store(p + (<usize>i << 2), e);
      sums = f32x4.add(sums, e);
    }
    let sum = sumLanes(sums);
    for (; i < width; i++) {
      const e = f32x4.extract_lane(exp4(f32x4.sub(v128.load_splat<f32>(p + (<usize>i << 2)), shift)), 0);
      store<f32>(p + (<usize>i << 2), e);
      sum += e;
    }
    if (firstIndex > 0) {
      const scale = f32x4.extract_lane(exp4(f32x4.splat(before - top)), 0);
      sum += load<f32>(s, 4) * scale;
      const q = mixture + ((<usize>row * d) << 2);
      for (i = 0; i < d; i++) store<f32>(q + (<usize>i << 2), load<f32>(q + (<usize>i << 2)) * scale);
    }
    store<f32>(s, top);
    store<f32>(s, sum, 4);
  }
}

/**
 * {@link headSoftmax} of logits y = cap · tanh(logit / cap), whose slope is 1 − (y / cap)²: they become
 * e^(y − top) · slope, which is what the head's rows are weighted with. `slopes` [rows, width] is working memory.
 */
export function headSoftmaxCapped(
  logits: usize, width: i32, labels: usize, firstIndex: i32, state: usize, mixture: usize, d: i32,
  cap: f32, slopes: usize, begin: i32, end: i32,
): void {
  const from = <usize>(begin * width) << 2;
  const to = <usize>(end * width) << 2;
  const whole = from + ((to - from) & ~15);
  const caps = f32x4.splat(cap);
  for (let at = from; at < whole; at += 16) {
    const t = tanh4(f32x4.div(v128.load(logits + at), caps));
    v128.store(logits + at, f32x4.mul(t, caps));
    v128.store(slopes + at, f32x4.sub(one4(), f32x4.mul(t, t)));
  }
  for (let at = whole; at < to; at += 4) {
    const t = f32x4.extract_lane(tanh4(f32x4.splat(load<f32>(logits + at) / cap)), 0);
    store<f32>(logits + at, t * cap);
    store<f32>(slopes + at, <f32>1 - t * t);
  }
  for (let row = begin; row < end; row++) {
    const label = load<i32>(labels + (<usize>row << 2)) - firstIndex;
    if (label < 0 || label >= width) continue;
    store<f32>(state + <usize>row * 16, load<f32>(slopes + (<usize>(row * width + label) << 2)), 12);
  }
  headSoftmax(logits, width, labels, firstIndex, state, mixture, d, begin, end);
  for (let at = from; at < whole; at += 16) {
    v128.store(logits + at, f32x4.mul(v128.load(logits + at), v128.load(slopes + at)));
  }
  for (let at = whole; at < to; at += 4) store<f32>(logits + at, load<f32>(logits + at) * load<f32>(slopes + at));
}

/**
 * log p(label) = logit − top − ln sum, and its derivative slope · head[label] − mixture / sum, in place of the mixture.
 */
export function headFinish(
  head: usize, labels: usize, state: usize, mixture: usize, logProbs: usize, d: i32, begin: i32, end: i32,
): void {
  for (let row = begin; row < end; row++) {
    const s = state + <usize>row * 16;
    const sum = load<f32>(s, 4);
    const logSum = f32x4.extract_lane(log4(f32x4.splat(sum)), 0);
    store<f32>(logProbs + (<usize>row << 2), load<f32>(s, 8) - load<f32>(s) - logSum);
    const scale = <f32>1 / sum;
    const slope = load<f32>(s, 12);
    const p = head + ((<usize>load<i32>(labels + (<usize>row << 2)) * d) << 2);
    const q = mixture + ((<usize>row * d) << 2);
    for (let j = 0; j < d; j++) {
      const at = <usize>j << 2;
      store<f32>(q + at, slope * load<f32>(p + at) - load<f32>(q + at) * scale);
    }
  }
}
