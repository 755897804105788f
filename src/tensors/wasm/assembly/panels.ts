/**
 * Panels and tiles, the inner parts of every matrix product: panels of 8 columns of the right operand, panels of
 * 4 rows of the left one, and a 4 × 8 tile of sums in eight vector registers. V8 has 15 usable ones: 8 sums, 2 of
 * B, 1 of A, and products. A taller tile would spill.
 */
import { transpose4 } from './vector';

/** Columns of a panel of B. */
export const NR: i32 = 8;
/** Rows of a panel of A. */
export const MR: i32 = 4;

/** Packs up to 8 columns, k deep: out[p·8 + column], zeros where there is no column. */
export function packPanelB(b: usize, rowStride: i32, columnStride: i32, k: i32, columns: i32, out: usize): void {
  const rs = (<usize>rowStride) << 2;
  const cs = (<usize>columnStride) << 2;
  if (columns == NR && columnStride == 1) {
    for (let p = 0; p < k; p++) {
      v128.store(out, v128.load(b));
      v128.store(out, v128.load(b, 16), 16);
      b += rs;
      out += 32;
    }
    return;
  }
  if (columns == NR && rowStride == 1) {
    let p = 0;
    for (; p + 4 <= k; p += 4) {
      for (let half = 0; half < 2; half++) {
        transpose4(b + cs * (half << 2), cs, out + (half << 4), 32);
      }
      b += 16;
      out += 128;
    }
    for (; p < k; p++) {
      for (let j = 0; j < NR; j++) store<f32>(out + ((<usize>j) << 2), load<f32>(b + cs * j));
      b += 4;
      out += 32;
    }
    return;
  }
  for (let p = 0; p < k; p++) {
    for (let j = 0; j < columns; j++) store<f32>(out + ((<usize>j) << 2), load<f32>(b + cs * j));
    for (let j = columns; j < NR; j++) store<f32>(out + ((<usize>j) << 2), 0);
    b += rs;
    out += 32;
  }
}

/** Packs `rows` rows of A into panels of 4, k deep: out[(row / 4)·k·4 + p·4 + row % 4]. */
export function packA(a: usize, rowStride: i32, columnStride: i32, rows: i32, k: i32, out: usize): void {
  const rs = (<usize>rowStride) << 2;
  const cs = (<usize>columnStride) << 2;
  for (let i = 0; i < rows; i += MR) {
    const valid = min(MR, rows - i);
    let q = a + rs * i;
    if (valid == MR && columnStride == 1) {
      let p = 0;
      for (; p + 4 <= k; p += 4) {
        transpose4(q, rs, out, 16);
        q += 16;
        out += 64;
      }
      for (; p < k; p++) {
        for (let r = 0; r < MR; r++) store<f32>(out + ((<usize>r) << 2), load<f32>(q + rs * r));
        q += 4;
        out += 16;
      }
    } else if (valid == MR && rowStride == 1) {
      for (let p = 0; p < k; p++) {
        v128.store(out, v128.load(q));
        q += cs;
        out += 16;
      }
    } else {
      for (let p = 0; p < k; p++) {
        for (let r = 0; r < valid; r++) store<f32>(out + ((<usize>r) << 2), load<f32>(q + rs * r));
        for (let r = valid; r < MR; r++) store<f32>(out + ((<usize>r) << 2), 0);
        q += cs;
        out += 16;
      }
    }
  }
}

/** One 4 × 8 tile: C (row length ldc bytes) = or += panel of A · panel of B. */
export function tile(pa: usize, pb: usize, k: i32, c: usize, ldc: usize, accumulate: bool): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  // one step of k at a time: V8 moves the loads of a longer body to its start, and then runs out of registers
  const end = pb + ((<usize>k) << 5);
  while (pb < end) {
    const b0 = v128.load(pb);
    const b1 = v128.load(pb, 16);
    let x = v128.load_splat<f32>(pa);
    c00 = f32x4.add(c00, f32x4.mul(x, b0));
    c01 = f32x4.add(c01, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(pa, 4);
    c10 = f32x4.add(c10, f32x4.mul(x, b0));
    c11 = f32x4.add(c11, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(pa, 8);
    c20 = f32x4.add(c20, f32x4.mul(x, b0));
    c21 = f32x4.add(c21, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(pa, 12);
    c30 = f32x4.add(c30, f32x4.mul(x, b0));
    c31 = f32x4.add(c31, f32x4.mul(x, b1));
    pa += 16;
    pb += 32;
  }
  const d1 = c + ldc;
  const d2 = d1 + ldc;
  const d3 = d2 + ldc;
  if (accumulate) {
    c00 = f32x4.add(c00, v128.load(c));
    c01 = f32x4.add(c01, v128.load(c, 16));
    c10 = f32x4.add(c10, v128.load(d1));
    c11 = f32x4.add(c11, v128.load(d1, 16));
    c20 = f32x4.add(c20, v128.load(d2));
    c21 = f32x4.add(c21, v128.load(d2, 16));
    c30 = f32x4.add(c30, v128.load(d3));
    c31 = f32x4.add(c31, v128.load(d3, 16));
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(d1, c10);
  v128.store(d1, c11, 16);
  v128.store(d2, c20);
  v128.store(d2, c21, 16);
  v128.store(d3, c30);
  v128.store(d3, c31, 16);
}

/** C[rows, columns] (+)= packed A · packed B, k deep; rows and columns are those of whole tiles. */
export function multiplyPanels(
  pa: usize, pb: usize, rows: i32, columns: i32, k: i32, c: usize, ldc: usize, accumulate: bool,
): void {
  for (let j = 0; j < columns; j += NR) {
    const panel = pb + ((<usize>j * k) << 2);
    for (let i = 0; i < rows; i += MR) {
      tile(pa + ((<usize>i * k) << 2), panel, k, c + ldc * i + (<usize>j << 2), ldc, accumulate);
    }
  }
}

/** Packs k rows of `columns` contiguous elements into panels of 8 columns. */
export function packRowsB(b: usize, rowStride: i32, k: i32, columns: i32, out: usize): void {
  for (let j = 0; j < columns; j += NR) {
    packPanelB(b + (<usize>j << 2), rowStride, 1, k, min(NR, columns - j), out + ((<usize>j * k) << 2));
  }
}

/** Packs `columns` contiguous vectors of k elements, each a column, into panels of 8 columns. */
export function packColumnsB(b: usize, columnStride: i32, k: i32, columns: i32, out: usize): void {
  for (let j = 0; j < columns; j += NR) {
    const from = b + ((<usize>j * columnStride) << 2);
    packPanelB(from, 1, columnStride, k, min(NR, columns - j), out + ((<usize>j * k) << 2));
  }
}
