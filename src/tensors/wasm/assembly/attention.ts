/**
 * Attention without the matrix of scores (Dao et al., "FlashAttention", 2022): blocks of 64 queries meet blocks
 * of 64 keys, with a running maximum and sum. Causal; blocks wholly in the future are never computed.
 */
import { multiplyPanels, packA, packColumnsB, packRowsB } from './panels';
import { exp4, log4, maxLanes, one4, sumLanes, tanh4 } from './vector';

/** Queries, and keys, of a block. */
const BLOCK: i32 = 64;
/** Bytes of a row of scores. */
const LDS: usize = 256;
/** Bytes of a block's scores. */
const SCORES: usize = 16384;

// @ts-ignore: decorator
@inline
export function roundUp(x: i32, multiple: i32): i32 {
  return ((x + multiple - 1) / multiple) * multiple;
}

/**
 * out and log Σ e^score of blocks of queries; items are (block, head). A block is four numbers in `blocks`: its first
 * row, its end, the element offset of its keys and values, and how many keys its first row sees; each row
 * further down sees one more, and of all these the last `window`. Scores are capped where `cap` is above 0.
 */
export function attention(
  q: usize, k: usize, v: usize, out: usize, logSumExp: usize, blocks: usize,
  heads: i32, group: i32, d: i32, keyRowStride: i32, keyHeadStride: i32, scale: f32, window: i32, cap: f32,
  begin: i32, end: i32, scratch: usize,
): void {
  const capped = cap > 0;
  // capped scores have been scaled
  const rest = capped ? <f32>1 : scale;
  const width = roundUp(d, 8);
  const ldo = <usize>width << 2;
  const blockBytes = <usize>(BLOCK * width) << 2;
  const scores = scratch;
  const weights = scores + SCORES;
  const packedQ = weights + SCORES;
  const packedK = packedQ + blockBytes;
  const packedV = packedK + blockBytes;
  const sums = packedV + blockBytes;
  const tops = sums + blockBytes;
  const totals = tops + (<usize>BLOCK << 2);
  for (let item = begin; item < end; item++) {
    const head = item % heads;
    const entry = blocks + ((<usize>(item / heads)) << 4);
    const q0 = load<i32>(entry);
    const rows = load<i32>(entry, 4) - q0;
    const keyOffset = load<i32>(entry, 8) + (head / group) * keyHeadStride;
    const visible = load<i32>(entry, 12);
    const kBase = k + (<usize>keyOffset << 2);
    const vBase = v + (<usize>keyOffset << 2);
    const rowStride = heads * d;
    const rowsPadded = roundUp(rows, 4);
    packA(q + ((<usize>q0 * rowStride + head * d) << 2), rowStride, 1, rows, d, packedQ);
    memory.fill(sums, 0, blockBytes);
    for (let i = 0; i < rows; i++) {
      store<f32>(tops + (<usize>i << 2), -Infinity);
      store<f32>(totals + (<usize>i << 2), 0);
    }
    const keys = visible + rows - 1;
    for (let k0 = 0; k0 < keys; k0 += BLOCK) {
      const columns = min(BLOCK, keys - k0);
      packColumnsB(kBase + ((<usize>k0 * keyRowStride) << 2), keyRowStride, d, columns, packedK);
      multiplyPanels(packedQ, packedK, rowsPadded, roundUp(columns, 8), d, scores, LDS, false);
      for (let i = 0; i < rows; i++) {
        const row = scores + LDS * i;
        const limit = max(0, min(columns, visible + i - k0));
        const hidden = visible + i - window - k0;
        if (capped) capScores(row, columns, scale / cap, cap);
        for (let j = 0; j < min(hidden, columns); j++) store<f32>(row + (<usize>j << 2), -Infinity);
        const rescale = softmaxStep(row, columns, limit, rest, tops + (<usize>i << 2), totals + (<usize>i << 2));
        if (rescale != 1) {
          const factor = f32x4.splat(rescale);
          const sum = sums + ldo * i;
          for (let at: usize = 0; at < ldo; at += 16) v128.store(sum + at, f32x4.mul(v128.load(sum + at), factor));
        }
      }
      packA(scores, 64, 1, rows, columns, weights);
      packRowsB(vBase + ((<usize>k0 * keyRowStride) << 2), keyRowStride, columns, d, packedV);
      multiplyPanels(weights, packedV, rowsPadded, width, columns, sums, ldo, true);
    }
    for (let i = 0; i < rows; i++) {
      const total = load<f32>(totals + (<usize>i << 2));
      const inverse = <f32>1 / total;
      const to = out + ((<usize>((q0 + i) * heads + head) * d) << 2);
      const from = sums + ldo * i;
      for (let j = 0; j < d; j++) store<f32>(to + (<usize>j << 2), load<f32>(from + (<usize>j << 2)) * inverse);
      if (logSumExp != 0) {
        const logTotal = f32x4.extract_lane(log4(f32x4.splat(total)), 0);
        store<f32>(logSumExp + (<usize>((q0 + i) * heads + head) << 2), load<f32>(tops + (<usize>i << 2)) + logTotal);
      }
    }
  }
}

/** cap · tanh(score · inner) in place of a row's scores. */
export function capScores(row: usize, columns: i32, inner: f32, cap: f32): void {
  const inners = f32x4.splat(inner);
  const caps = f32x4.splat(cap);
  for (let at: usize = 0; at < <usize>columns << 2; at += 16) {
    v128.store(row + at, f32x4.mul(tanh4(f32x4.mul(v128.load(row + at), inners)), caps));
  }
}

/**
 * Turns one row of raw scores into e^(score − top), zero from `limit` on, and updates the row's top and total.
 * Returns the factor by which what was summed before must be multiplied.
 */
function softmaxStep(row: usize, columns: i32, limit: i32, scale: f32, top: usize, total: usize): f32 {
  const scales = f32x4.splat(scale);
  const minimum = f32x4.splat(-Infinity);
  const limits = i32x4.splat(limit);
  const before = load<f32>(top);
  const end = <usize>roundUp(columns, 4) << 2;
  let largest = f32x4.splat(before);
  let index = i32x4(0, 1, 2, 3);
  for (let at: usize = 0; at < end; at += 16) {
    const seen = i32x4.lt_s(index, limits);
    const score = v128.bitselect(f32x4.mul(v128.load(row + at), scales), minimum, seen);
    v128.store(row + at, score);
    largest = f32x4.pmax(largest, score);
    index = i32x4.add(index, i32x4.splat(4));
  }
  const now = maxLanes(largest);
  if (now == -Infinity) {
    memory.fill(row, 0, end);
    return 1;
  }
  const shift = f32x4.splat(now);
  let sums = f32x4.splat(0);
  for (let at: usize = 0; at < end; at += 16) {
    const e = exp4(f32x4.sub(v128.load(row + at), shift));
    // e^−∞ is a denormal's neighbour, not quite zero: keep masked weights exactly zero
    const weight = v128.and(e, f32x4.gt(v128.load(row + at), minimum));
    v128.store(row + at, weight);
    sums = f32x4.add(sums, weight);
  }
  const rescale = now == before ? <f32>1 : f32x4.extract_lane(exp4(f32x4.splat(before - now)), 0);
  store<f32>(top, now);
  store<f32>(total, load<f32>(total) * rescale + sumLanes(sums));
  return rescale;
}

/**
 * dq, and this query head's share of dk and dv (both [n, heads, d]); items are (segment, head), so that no two
 * items write to one place. Scores are computed anew from the saved log Σ e^score.
 */
export function attentionGrad(
  dy: usize, q: usize, k: usize, v: usize, out: usize, logSumExp: usize, dq: usize, dk: usize, dv: usize,
  segments: usize, heads: i32, group: i32, d: i32, scale: f32, window: i32, cap: f32,
  begin: i32, end: i32, scratch: usize,
): void {
  const width = roundUp(d, 8);
  const ldo = <usize>width << 2;
  const blockBytes = <usize>(BLOCK * width) << 2;
  const rowStride = heads * d;
  const keyStride = (heads / group) * d;
  const p = scratch;
  const ds = p + SCORES;
  const packedP = ds + SCORES;
  const deltas = packedP + SCORES;
  const kColumns = deltas + 1024;
  const vColumns = kColumns + blockBytes;
  const kRows = vColumns + blockBytes;
  const qPanels = kRows + blockBytes;
  const dyPanels = qPanels + blockBytes;
  const qRows = dyPanels + blockBytes;
  const dyRows = qRows + blockBytes;
  const dvSum = dyRows + blockBytes;
  const dkSum = dvSum + blockBytes;
  const dqPart = dkSum + blockBytes;
  for (let item = begin; item < end; item++) {
    const head = item % heads;
    const entry = segments + (<usize>(item / heads) << 2);
    const s0 = load<i32>(entry);
    const s1 = load<i32>(entry, 4);
    for (let k0 = s0; k0 < s1; k0 += BLOCK) {
      const columns = min(BLOCK, s1 - k0);
      const columnsPadded = roundUp(columns, 8);
      const keyAt = (<usize>k0 * keyStride + (head / group) * d) << 2;
      packColumnsB(k + keyAt, keyStride, d, columns, kColumns);
      packColumnsB(v + keyAt, keyStride, d, columns, vColumns);
      packRowsB(k + keyAt, keyStride, columns, d, kRows);
      memory.fill(dvSum, 0, 2 * blockBytes);
      // the last row that sees one of the keys is the one whose window begins with the last of them
      const last = min(s1, k0 + columns - 1 + window);
      for (let q0 = k0; q0 < last; q0 += BLOCK) {
        const rows = min(BLOCK, s1 - q0);
        const rowsPadded = roundUp(rows, 4);
        const queryAt = (<usize>q0 * rowStride + head * d) << 2;
        packA(q + queryAt, rowStride, 1, rows, d, qPanels);
        packA(dy + queryAt, rowStride, 1, rows, d, dyPanels);
        packRowsB(q + queryAt, rowStride, rows, d, qRows);
        packRowsB(dy + queryAt, rowStride, rows, d, dyRows);
        multiplyPanels(qPanels, kColumns, rowsPadded, columnsPadded, d, p, LDS, false);
        multiplyPanels(dyPanels, vColumns, rowsPadded, columnsPadded, d, ds, LDS, false);
        for (let i = 0; i < rows; i++) {
          const at = queryAt + ((<usize>i * rowStride) << 2);
          const delta = dot(dy + at, out + at, d);
          const lse = load<f32>(logSumExp + (<usize>((q0 + i) * heads + head) << 2));
          const limit = min(columns, q0 + i - k0 + 1);
          const weights = p + LDS * i;
          const slopes = ds + LDS * i;
          if (cap > 0) cappedScoresGrad(weights, slopes, columns, limit, scale, cap, lse, delta);
          else scoresGrad(weights, slopes, columns, limit, scale, lse, delta);
          const hidden = min(columns, q0 + i - window + 1 - k0);
          if (hidden > 0) {
            memory.fill(weights, 0, <usize>hidden << 2);
            memory.fill(slopes, 0, <usize>hidden << 2);
          }
        }
        // dv += pᵀ · dy, dk += dsᵀ · q, dq += ds · k
        packA(p, 1, 64, columns, rows, packedP);
        multiplyPanels(packedP, dyRows, roundUp(columns, 4), width, rows, dvSum, ldo, true);
        packA(ds, 1, 64, columns, rows, packedP);
        multiplyPanels(packedP, qRows, roundUp(columns, 4), width, rows, dkSum, ldo, true);
        packA(ds, 64, 1, rows, columns, packedP);
        multiplyPanels(packedP, kRows, rowsPadded, width, columns, dqPart, ldo, false);
        // added to what was there, but for the first keys that a row of the block sees
        putRows(dqPart, ldo, dq + queryAt, rowStride, rows, d, k0 > max(s0, q0 - window + 1));
      }
      const to = (<usize>k0 * rowStride + head * d) << 2;
      putRows(dvSum, ldo, dv + to, rowStride, columns, d, false);
      putRows(dkSum, ldo, dk + to, rowStride, columns, d, false);
    }
  }
}

/** One row: p = e^(score·scale − lse) and ds = p·(dp − delta)·scale, both zero from `limit` on. */
// @ts-ignore: decorator
@inline
function scoresGrad(p: usize, ds: usize, columns: i32, limit: i32, scale: f32, lse: f32, delta: f32): void {
  const scales = f32x4.splat(scale);
  const shift = f32x4.splat(lse);
  const deltas = f32x4.splat(delta);
  const limits = i32x4.splat(limit);
  let index = i32x4(0, 1, 2, 3);
  for (let at: usize = 0; at < <usize>columns << 2; at += 16) {
    const seen = i32x4.lt_s(index, limits);
    const weight = v128.and(exp4(f32x4.sub(f32x4.mul(v128.load(p + at), scales), shift)), seen);
    const slope = f32x4.mul(f32x4.mul(weight, f32x4.sub(v128.load(ds + at), deltas)), scales);
    v128.store(p + at, weight);
    v128.store(ds + at, v128.and(slope, seen));
    index = i32x4.add(index, i32x4.splat(4));
  }
}

/** {@link scoresGrad} of scores s = cap · tanh(score·scale / cap): ds is smaller by the factor 1 − (s / cap)². */
function cappedScoresGrad(
  p: usize, ds: usize, columns: i32, limit: i32, scale: f32, cap: f32, lse: f32, delta: f32,
): void {
  const inners = f32x4.splat(scale / cap);
  const caps = f32x4.splat(cap);
  const scales = f32x4.splat(scale);
  const shift = f32x4.splat(lse);
  const deltas = f32x4.splat(delta);
  const limits = i32x4.splat(limit);
  let index = i32x4(0, 1, 2, 3);
  for (let at: usize = 0; at < <usize>columns << 2; at += 16) {
    const seen = i32x4.lt_s(index, limits);
    const t = tanh4(f32x4.mul(v128.load(p + at), inners));
    const weight = v128.and(exp4(f32x4.sub(f32x4.mul(t, caps), shift)), seen);
    const factor = f32x4.mul(f32x4.sub(one4(), f32x4.mul(t, t)), scales);
    const slope = f32x4.mul(f32x4.mul(weight, f32x4.sub(v128.load(ds + at), deltas)), factor);
    v128.store(p + at, weight);
    v128.store(ds + at, v128.and(slope, seen));
    index = i32x4.add(index, i32x4.splat(4));
  }
}

/** a · b. */
export function dot(a: usize, b: usize, d: i32): f32 {
  let sums = f32x4.splat(0);
  let j = 0;
  for (; j + 4 <= d; j += 4) {
    sums = f32x4.add(sums, f32x4.mul(v128.load(a + (<usize>j << 2)), v128.load(b + (<usize>j << 2))));
  }
  let sum = sumLanes(sums);
  for (; j < d; j++) sum += load<f32>(a + (<usize>j << 2)) * load<f32>(b + (<usize>j << 2));
  return sum;
}

/** Copies, or adds, rows of d elements from working memory. */
function putRows(
  from: usize, ldFrom: usize, to: usize, stride: i32, rows: i32, d: i32, add: bool,
): void {
  for (let i = 0; i < rows; i++) {
    let j = 0;
    for (; j + 4 <= d; j += 4) {
      const at = <usize>j << 2;
      const value = v128.load(from + at);
      v128.store(to + at, add ? f32x4.add(v128.load(to + at), value) : value);
    }
    for (; j < d; j++) {
      const at = <usize>j << 2;
      const value = load<f32>(from + at);
      store<f32>(to + at, add ? load<f32>(to + at) + value : value);
    }
    from += ldFrom;
    to += <usize>stride << 2;
  }
}

/** out[n, g, d] = Σ over each group of `group` heads of x[n, g·group, d]; items are rows n. */
export function sumGroups(x: usize, out: usize, heads: i32, group: i32, d: i32, begin: i32, end: i32): void {
  const keyHeads = heads / group;
  for (let row = begin; row < end; row++) {
    for (let h = 0; h < keyHeads; h++) {
      const from = x + ((<usize>(row * heads + h * group) * d) << 2);
      const to = out + ((<usize>(row * keyHeads + h) * d) << 2);
      for (let j = 0; j < d; j++) {
        let sum: f32 = 0;
        for (let g = 0; g < group; g++) sum += load<f32>(from + (<usize>(g * d + j) << 2));
        store<f32>(to + (<usize>j << 2), sum);
      }
    }
  }
}
