/** Attention of single queries to a cache: what a decoding step needs. */
import { dot, roundUp } from './attention';
import { exp4, maxLanes, sumLanes } from './vector';

/**
 * One query per item (row, head), against `lengths[row]` keys of its slot in caches [slots, keyHeads, maxLength, d].
 * Working memory holds the scores of one head.
 */
export function cachedAttention(
  q: usize, keys: usize, values: usize, slots: usize, lengths: usize, out: usize,
  heads: i32, group: i32, maxLength: i32, d: i32, scale: f32, begin: i32, end: i32, scratch: usize,
): void {
  const keyHeads = heads / group;
  const vectors = d & ~3;
  const ld = <usize>d << 2;
  for (let item = begin; item < end; item++) {
    const row = item / heads;
    const head = item % heads;
    const slot = load<i32>(slots + (<usize>row << 2));
    const length = load<i32>(lengths + (<usize>row << 2));
    const base = ((<usize>(slot * keyHeads + head / group) * maxLength) * d) << 2;
    const x = q + ((<usize>item * d) << 2);
    let t = 0;
    let key = keys + base;
    for (; t + 4 <= length; t += 4) {
      let s0 = f32x4.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      const key1 = key + ld;
      const key2 = key1 + ld;
      const key3 = key2 + ld;
      for (let at: usize = 0; at < ((<usize>vectors) << 2); at += 16) {
        const u = v128.load(x + at);
        s0 = f32x4.add(s0, f32x4.mul(u, v128.load(key + at)));
        s1 = f32x4.add(s1, f32x4.mul(u, v128.load(key1 + at)));
        s2 = f32x4.add(s2, f32x4.mul(u, v128.load(key2 + at)));
        s3 = f32x4.add(s3, f32x4.mul(u, v128.load(key3 + at)));
      }
      const t0 = v128.shuffle<f32>(s0, s1, 0, 4, 1, 5);
      const t1 = v128.shuffle<f32>(s0, s1, 2, 6, 3, 7);
      const t2 = v128.shuffle<f32>(s2, s3, 0, 4, 1, 5);
      const t3 = v128.shuffle<f32>(s2, s3, 2, 6, 3, 7);
      let dots = f32x4.add(
        f32x4.add(v128.shuffle<f32>(t0, t2, 0, 1, 4, 5), v128.shuffle<f32>(t0, t2, 2, 3, 6, 7)),
        f32x4.add(v128.shuffle<f32>(t1, t3, 0, 1, 4, 5), v128.shuffle<f32>(t1, t3, 2, 3, 6, 7)),
      );
      for (let j = vectors; j < d; j++) {
        const at = <usize>j << 2;
        const w = f32x4(
          load<f32>(key + at), load<f32>(key1 + at), load<f32>(key2 + at), load<f32>(key3 + at),
        );
        dots = f32x4.add(dots, f32x4.mul(v128.load_splat<f32>(x + at), w));
      }
      v128.store(scratch + (<usize>t << 2), f32x4.mul(dots, f32x4.splat(scale)));
      key += 4 * ld;
    }
    for (; t < length; t++) {
      store<f32>(scratch + (<usize>t << 2), dot(x, key, d) * scale);
      key += ld;
    }
    // pad to whole vectors with −∞, which become weights of zero
    const end4 = roundUp(length, 4);
    for (; t < end4; t++) store<f32>(scratch + (<usize>t << 2), -Infinity);
    let tops = f32x4.splat(-Infinity);
    for (let i = 0; i < end4; i += 4) tops = f32x4.pmax(tops, v128.load(scratch + (<usize>i << 2)));
    const shift = f32x4.splat(maxLanes(tops));
    let sums = f32x4.splat(0);
    for (let i = 0; i < end4; i += 4) {
      const score = v128.load(scratch + (<usize>i << 2));
      const e = v128.and(exp4(f32x4.sub(score, shift)), f32x4.gt(score, f32x4.splat(-Infinity)));
      v128.store(scratch + (<usize>i << 2), e);
      sums = f32x4.add(sums, e);
    }
    const inverse = <f32>1 / sumLanes(sums);
    weighValues(scratch, values + base, length, d, inverse, out + ((<usize>item * d) << 2));
  }
}

/** out[j] = scale · Σ over t of weights[t] · values[t, j]. */
function weighValues(weights: usize, values: usize, length: i32, d: i32, scale: f32, out: usize): void {
  const ld = <usize>d << 2;
  const scales = f32x4.splat(scale);
  let j = 0;
  // whole rows where they are 32 wide or more: every cache line is read once, in order
  for (; j + 32 <= d; j += 32) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let s4 = s0;
    let s5 = s0;
    let s6 = s0;
    let s7 = s0;
    let from = values + ((<usize>j) << 2);
    let at = weights;
    const end = weights + ((<usize>length) << 2);
    while (at < end) {
      const w = v128.load_splat<f32>(at);
      s0 = f32x4.add(s0, f32x4.mul(w, v128.load(from)));
      s1 = f32x4.add(s1, f32x4.mul(w, v128.load(from, 16)));
      s2 = f32x4.add(s2, f32x4.mul(w, v128.load(from, 32)));
      s3 = f32x4.add(s3, f32x4.mul(w, v128.load(from, 48)));
      s4 = f32x4.add(s4, f32x4.mul(w, v128.load(from, 64)));
      s5 = f32x4.add(s5, f32x4.mul(w, v128.load(from, 80)));
      s6 = f32x4.add(s6, f32x4.mul(w, v128.load(from, 96)));
      s7 = f32x4.add(s7, f32x4.mul(w, v128.load(from, 112)));
      from += ld;
      at += 4;
    }
    const to = out + ((<usize>j) << 2);
    v128.store(to, f32x4.mul(s0, scales));
    v128.store(to, f32x4.mul(s1, scales), 16);
    v128.store(to, f32x4.mul(s2, scales), 32);
    v128.store(to, f32x4.mul(s3, scales), 48);
    v128.store(to, f32x4.mul(s4, scales), 64);
    v128.store(to, f32x4.mul(s5, scales), 80);
    v128.store(to, f32x4.mul(s6, scales), 96);
    v128.store(to, f32x4.mul(s7, scales), 112);
  }
  for (; j + 16 <= d; j += 16) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let from = values + (<usize>j << 2);
    for (let t = 0; t < length; t++) {
      const w = v128.load_splat<f32>(weights + (<usize>t << 2));
      s0 = f32x4.add(s0, f32x4.mul(w, v128.load(from)));
      s1 = f32x4.add(s1, f32x4.mul(w, v128.load(from, 16)));
      s2 = f32x4.add(s2, f32x4.mul(w, v128.load(from, 32)));
      s3 = f32x4.add(s3, f32x4.mul(w, v128.load(from, 48)));
      from += ld;
    }
    const to = out + (<usize>j << 2);
    v128.store(to, f32x4.mul(s0, scales));
    v128.store(to, f32x4.mul(s1, scales), 16);
    v128.store(to, f32x4.mul(s2, scales), 32);
    v128.store(to, f32x4.mul(s3, scales), 48);
  }
  for (; j < d; j++) {
    let sum: f32 = 0;
    let from = values + (<usize>j << 2);
    for (let t = 0; t < length; t++) {
      sum += load<f32>(weights + (<usize>t << 2)) * load<f32>(from);
      from += ld;
    }
    store<f32>(out + (<usize>j << 2), sum * scale);
  }
}
