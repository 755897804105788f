/** Copies between strided places, gathers and scatters of rows. Elements have four bytes, or one for booleans. */
import { offsetOf, transpose4 } from './vector';

/**
 * Rows [begin, end) of `inner` elements from one strided place to another. Outer axes, innermost first, are in
 * the table as (dimension, source stride, destination stride); all strides count elements.
 */
export function copyStrided(
  source: usize, destination: usize, inner: i32, sourceStep: i32, destinationStep: i32, shift: i32,
  rank: i32, table: usize, begin: i32, end: i32,
): void {
  const s = <usize>shift;
  for (let row = begin; row < end; row++) {
    let p = source + (<usize>offsetOf(row, rank, table, 1) << s);
    let q = destination + (<usize>offsetOf(row, rank, table, 2) << s);
    if (sourceStep == 1 && destinationStep == 1) {
      copyBytes(q, p, <usize>inner << s);
    } else if (s == 2) {
      const ps = <usize>sourceStep << 2;
      const qs = <usize>destinationStep << 2;
      for (let i = 0; i < inner; i++) {
        store<i32>(q, load<i32>(p));
        p += ps;
        q += qs;
      }
    } else {
      for (let i = 0; i < inner; i++) {
        store<u8>(q, load<u8>(p));
        p += sourceStep;
        q += destinationStep;
      }
    }
  }
}

/** memory.copy costs a call out of the module, so short rows are copied here. */
// @ts-ignore: decorator
@inline
function copyBytes(to: usize, from: usize, bytes: usize): void {
  if (bytes > 512) {
    memory.copy(to, from, bytes);
    return;
  }
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(to + i, v128.load(from + i));
  for (; i + 4 <= bytes; i += 4) store<i32>(to + i, load<i32>(from + i));
  for (; i < bytes; i++) store<u8>(to + i, load<u8>(from + i));
}

/** [m, n] → [n, m] of four-byte elements, for each of `m·n`-sized batches; items are (batch, block of 4 columns). */
export function transpose2d(x: usize, out: usize, m: i32, n: i32, begin: i32, end: i32): void {
  const blocks = (n + 3) >> 2;
  const ns = <usize>n << 2;
  const ms = <usize>m << 2;
  for (let item = begin; item < end; item++) {
    const batch = item / blocks;
    const j = (item % blocks) << 2;
    const p = x + ((<usize>batch * m * n + j) << 2);
    const q = out + ((<usize>batch * m * n + <usize>j * m) << 2);
    const columns = min(4, n - j);
    let i = 0;
    if (columns == 4) {
      for (; i + 4 <= m; i += 4) {
        transpose4(p + ns * i, ns, q + (<usize>i << 2), ms);
      }
    }
    for (; i < m; i++) {
      for (let c = 0; c < columns; c++) {
        store<i32>(q + ms * c + (<usize>i << 2), load<i32>(p + ns * i + (<usize>c << 2)));
      }
    }
  }
}

/** out[o, i, :] = x[o, indices[i], :]; rows of rowBytes bytes; items are (o, i). */
export function gatherRows(
  x: usize, indices: usize, out: usize, rowBytes: i32, rows: i32, count: i32, begin: i32, end: i32,
): void {
  for (let item = begin; item < end; item++) {
    const index = load<i32>(indices + ((<usize>(item % count)) << 2));
    copyBytes(out + <usize>item * rowBytes, x + (<usize>(item / count) * rows + index) * rowBytes, rowBytes);
  }
}

/** out[ids[i], :] += x[i, :] for columns of each item, 16 at a time; ids outside [0, segments) are left out. */
export function segmentSum(
  x: usize, ids: usize, out: usize, rows: i32, columns: i32, segments: i32, begin: i32, end: i32,
): void {
  for (let item = begin; item < end; item++) {
    const from = item << 4;
    const to = min(columns, from + 16);
    for (let i = 0; i < rows; i++) {
      const id = load<i32>(ids + (<usize>i << 2));
      if (<u32>id >= <u32>segments) continue;
      const p = x + ((<usize>i * columns) << 2);
      const q = out + ((<usize>id * columns) << 2);
      let j = from;
      for (; j + 4 <= to; j += 4) {
        const at = <usize>j << 2;
        v128.store(q + at, f32x4.add(v128.load(q + at), v128.load(p + at)));
      }
      for (; j < to; j++) {
        const at = <usize>j << 2;
        store<f32>(q + at, load<f32>(q + at) + load<f32>(p + at));
      }
    }
  }
}
