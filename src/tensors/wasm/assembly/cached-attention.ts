/** Attention of single queries to a cache: what a decoding step needs. */
import { capScores, dot, roundUp } from './attention';
import { expNegative4, maxLanes, sumEach, sumLanes } from './vector';

/** Keys that the heads of a group read one after another: as many as stay in the first-level cache. */
const TILE = 64;

/**
 * One row and key-value head per item: the `group` queries that share it, against `lengths[row]` keys of the
 * row's slot in caches [slots, keyHeads, maxLength, d], or the last `window` of them. Scores are capped where `cap`
 * is above 0. Working memory holds the scores of the group.
 */
export function cachedAttention(
  q: usize, keys: usize, values: usize, slots: usize, lengths: usize, out: usize,
  heads: i32, group: i32, maxLength: i32, d: i32, scale: f32, window: i32, cap: f32,
  begin: i32, end: i32, scratch: usize,
): void {
  const keyHeads = heads / group;
  const capped = cap > 0;
  const factor = capped ? scale / cap : scale;
  const ld = <usize>d << 2;
  for (let item = begin; item < end; item++) {
    const row = item / keyHeads;
    const keyHead = item % keyHeads;
    const slot = load<i32>(slots + (<usize>row << 2));
    const known = load<i32>(lengths + (<usize>row << 2));
    const length = min(known, window);
    const base = (<usize>(slot * keyHeads + keyHead) * maxLength + (known - length)) * ld;
    const first = <usize>(row * heads + keyHead * group) * ld;
    const scoreBytes = <usize>roundUp(length, 4) << 2;
    for (let tile = 0; tile < length; tile += TILE) {
      const count = min(TILE, length - tile);
      const from = keys + base + <usize>tile * ld;
      for (let g = 0; g < group; g += 2) {
        const x = q + first + <usize>g * ld;
        const scores = scratch + <usize>g * scoreBytes + (<usize>tile << 2);
        if (g + 1 < group && (d & 3) === 0) {
          scoreKeysTwice(x, from, scores, scoreBytes, count, d, factor);
          continue;
        }
        scoreKeys(x, from, scores, count, d, factor);
        if (g + 1 < group) scoreKeys(x + ld, from, scores + scoreBytes, count, d, factor);
      }
    }
    for (let g = 0; g < group; g++) {
      const scores = scratch + <usize>g * scoreBytes;
      if (capped) capScores(scores, length, 1, cap);
      normalize(scores, length);
      memory.fill(out + first + <usize>g * ld, 0, ld);
    }
    for (let tile = 0; tile < length; tile += TILE) {
      const count = min(TILE, length - tile);
      for (let g = 0; g < group; g++) {
        const weights = scratch + <usize>g * scoreBytes + (<usize>tile << 2);
        addValues(weights, values + base + <usize>tile * ld, count, d, out + first + <usize>g * ld);
      }
    }
  }
}

/** scores[t] = scale · x · keys[t], for keys [count, d]. */
function scoreKeys(x: usize, keys: usize, scores: usize, count: i32, d: i32, scale: f32): void {
  const vectors = d & ~3;
  const ld = <usize>d << 2;
  let t = 0;
  let key = keys;
  for (; t + 4 <= count; t += 4) {
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
    let dots = sumEach(s0, s1, s2, s3);
    for (let j = vectors; j < d; j++) {
      const at = <usize>j << 2;
      const w = f32x4(
        load<f32>(key + at), load<f32>(key1 + at), load<f32>(key2 + at), load<f32>(key3 + at),
      );
      dots = f32x4.add(dots, f32x4.mul(v128.load_splat<f32>(x + at), w));
    }
    v128.store(scores + (<usize>t << 2), f32x4.mul(dots, f32x4.splat(scale)));
    key += 4 * ld;
  }
  for (; t < count; t++) {
    store<f32>(scores + (<usize>t << 2), dot(x, key, d) * scale);
    key += ld;
  }
}

/**
 * {@link scoreKeys} for two queries, x and the one behind it, whose scores lie `scoreBytes` apart: every key is
 * loaded once for both. Sums in the same order; d is a multiple of 4.
 */
function scoreKeysTwice(
  x: usize, keys: usize, scores: usize, scoreBytes: usize, count: i32, d: i32, scale: f32,
): void {
  const ld = <usize>d << 2;
  let t = 0;
  let key = keys;
  for (; t + 4 <= count; t += 4) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let r0 = s0;
    let r1 = s0;
    let r2 = s0;
    let r3 = s0;
    let at = x;
    let at2 = x + ld;
    let key1 = key + ld;
    let key2 = key1 + ld;
    let key3 = key2 + ld;
    const end = at2;
    while (at < end) {
      const u = v128.load(at);
      const w = v128.load(at2);
      let k = v128.load(key);
      s0 = f32x4.add(s0, f32x4.mul(u, k));
      r0 = f32x4.add(r0, f32x4.mul(w, k));
      k = v128.load(key1);
      s1 = f32x4.add(s1, f32x4.mul(u, k));
      r1 = f32x4.add(r1, f32x4.mul(w, k));
      k = v128.load(key2);
      s2 = f32x4.add(s2, f32x4.mul(u, k));
      r2 = f32x4.add(r2, f32x4.mul(w, k));
      k = v128.load(key3);
      s3 = f32x4.add(s3, f32x4.mul(u, k));
      r3 = f32x4.add(r3, f32x4.mul(w, k));
      at += 16;
      at2 += 16;
      key += 16;
      key1 += 16;
      key2 += 16;
      key3 += 16;
    }
    const to = scores + (<usize>t << 2);
    v128.store(to, f32x4.mul(sumEach(s0, s1, s2, s3), f32x4.splat(scale)));
    v128.store(to + scoreBytes, f32x4.mul(sumEach(r0, r1, r2, r3), f32x4.splat(scale)));
    key = key3;
  }
  for (; t < count; t++) {
    const to = scores + (<usize>t << 2);
    store<f32>(to, dot(x, key, d) * scale);
    store<f32>(to + scoreBytes, dot(x + ld, key, d) * scale);
    key += ld;
  }
}

/** Scores become weights, in place: softmax. */
function normalize(scores: usize, length: i32): void {
  // padded to whole vectors: a weight of e⁻⁸⁷ changes no sum, and no value is read for it
  const end4 = roundUp(length, 4);
  for (let t = length; t < end4; t++) store<f32>(scores + (<usize>t << 2), -Infinity);
  const end = scores + (<usize>end4 << 2);
  let tops = f32x4.splat(-Infinity);
  for (let at = scores; at < end; at += 16) tops = f32x4.pmax(tops, v128.load(at));
  const shift = f32x4.splat(maxLanes(tops));
  let sums = f32x4.splat(0);
  for (let at = scores; at < end; at += 16) {
    const e = expNegative4(f32x4.sub(v128.load(at), shift));
    v128.store(at, e);
    sums = f32x4.add(sums, e);
  }
  const inverse = f32x4.splat(<f32>1 / sumLanes(sums));
  for (let at = scores; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), inverse));
}

/** out[j] += Σ over t of weights[t] · values[t, j], for values [count, d]. */
function addValues(weights: usize, values: usize, count: i32, d: i32, out: usize): void {
  const ld = <usize>d << 2;
  const end = weights + (<usize>count << 2);
  let j = 0;
  // whole rows where they are 32 wide or more: every cache line is read once, in order
  for (; j + 32 <= d; j += 32) {
    const to = out + (<usize>j << 2);
    let s0 = v128.load(to);
    let s1 = v128.load(to, 16);
    let s2 = v128.load(to, 32);
    let s3 = v128.load(to, 48);
    let s4 = v128.load(to, 64);
    let s5 = v128.load(to, 80);
    let s6 = v128.load(to, 96);
    let s7 = v128.load(to, 112);
    let from = values + (<usize>j << 2);
    for (let at = weights; at < end; at += 4) {
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
    }
    v128.store(to, s0);
    v128.store(to, s1, 16);
    v128.store(to, s2, 32);
    v128.store(to, s3, 48);
    v128.store(to, s4, 64);
    v128.store(to, s5, 80);
    v128.store(to, s6, 96);
    v128.store(to, s7, 112);
  }
  for (; j + 4 <= d; j += 4) {
    const to = out + (<usize>j << 2);
    let sum = v128.load(to);
    let from = values + (<usize>j << 2);
    for (let at = weights; at < end; at += 4) {
      sum = f32x4.add(sum, f32x4.mul(v128.load_splat<f32>(at), v128.load(from)));
      from += ld;
    }
    v128.store(to, sum);
  }
  for (; j < d; j++) {
    const to = out + (<usize>j << 2);
    let sum = load<f32>(to);
    let from = values + (<usize>j << 2);
    for (let at = weights; at < end; at += 4) {
      sum += load<f32>(at) * load<f32>(from);
      from += ld;
    }
    store<f32>(to, sum);
  }
}
