/**
 * General matrix multiplication, C[m, n] = A[m, k] · B[k, n], in the manner of Goto and van de Geijn (2008).
 */
import { MR, NR, packA, packPanelB, tile } from './panels';

/** Depth of a block: a panel of A and one of B stay in the first-level cache together. */
const KC: i32 = 384;

/** Packs columns [8·begin, 8·end) of B (element (k, n) at b + 4·(k·rowStride + n·columnStride)), zeros beyond n. */
export function packB(
  b: usize,
  rowStride: i32,
  columnStride: i32,
  batchOffsets: usize,
  k: i32,
  n: i32,
  packed: usize,
  begin: i32,
  end: i32,
): void {
  const panels = (n + NR - 1) / NR;
  for (let item = begin; item < end; item++) {
    const batch = item / panels;
    const panel = item % panels;
    const base = b + ((<usize>load<u32>(batchOffsets + ((<usize>batch) << 2))) << 2);
    packPanelB(
      base + ((<usize>(panel * NR) * columnStride) << 2),
      rowStride,
      columnStride,
      k,
      min(NR, n - panel * NR),
      packed + ((<usize>item * k * NR) << 2),
    );
  }
}

/** The part of a tile that lies inside C, through a full tile in working memory. */
function edgeTile(
  pa: usize,
  pb: usize,
  k: i32,
  c: usize,
  ldc: usize,
  rows: i32,
  columns: i32,
  accumulate: bool,
  temporary: usize,
): void {
  tile(pa, pb, k, temporary, 32, false);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const to = c + ldc * i + ((<usize>j) << 2);
      const value = load<f32>(temporary + ((<usize>(i * NR + j)) << 2));
      store<f32>(to, accumulate ? load<f32>(to) + value : value);
    }
  }
}

/**
 * C (+)= A · B (+ bias) for items of `rowsPerItem` × `columnsPerItem` of C (columnsPerItem a multiple of 8).
 * Items are numbered batch by batch, then by rows, then by columns.
 */
export function gemm(
  a: usize,
  rowStride: i32,
  columnStride: i32,
  aOffsets: usize,
  packed: usize,
  c: usize,
  ldc: i32,
  cBatchStride: i32,
  bias: usize,
  m: i32,
  n: i32,
  k: i32,
  rowsPerItem: i32,
  columnsPerItem: i32,
  accumulate: i32,
  begin: i32,
  end: i32,
  scratch: usize,
): void {
  const rowItems = (m + rowsPerItem - 1) / rowsPerItem;
  const columnItems = (n + columnsPerItem - 1) / columnsPerItem;
  const panels = (n + NR - 1) / NR;
  const ldcBytes = (<usize>ldc) << 2;
  const packedA = scratch + 256;
  for (let item = begin; item < end; item++) {
    const batch = item / (rowItems * columnItems);
    const within = item % (rowItems * columnItems);
    const i0 = (within / columnItems) * rowsPerItem;
    const j0 = (within % columnItems) * columnsPerItem;
    const rows = min(rowsPerItem, m - i0);
    const columns = min(columnsPerItem, n - j0);
    const aBase = a + ((<usize>load<u32>(aOffsets + ((<usize>batch) << 2)) + <usize>i0 * rowStride) << 2);
    const bBase = packed + ((<usize>(batch * panels + j0 / NR) * k * NR) << 2);
    const cBase = c + ((<usize>batch * cBatchStride + <usize>i0 * ldc + j0) << 2);
    for (let p0 = 0; p0 < k; p0 += KC) {
      const depth = min(KC, k - p0);
      packA(aBase + ((<usize>p0 * columnStride) << 2), rowStride, columnStride, rows, depth, packedA);
      for (let j = 0; j < columns; j += NR) {
        const pb = bBase + ((<usize>j * k + <usize>p0 * NR) << 2);
        const width = min(NR, columns - j);
        for (let i = 0; i < rows; i += MR) {
          const pa = packedA + ((<usize>i * depth) << 2);
          const to = cBase + ldcBytes * i + ((<usize>j) << 2);
          const height = min(MR, rows - i);
          if (width == NR && height == MR) tile(pa, pb, depth, to, ldcBytes, p0 > 0 || accumulate != 0);
          else edgeTile(pa, pb, depth, to, ldcBytes, height, width, p0 > 0 || accumulate != 0, scratch);
        }
      }
    }
    if (k == 0 && accumulate == 0) for (let i = 0; i < rows; i++) memory.fill(cBase + ldcBytes * i, 0, (<usize>columns) << 2);
    if (bias != 0) addBias(cBase, ldcBytes, bias + ((<usize>j0) << 2), rows, columns);
  }
}

/** Adds a row of biases to each row of C. */
export function addBias(c: usize, ldc: usize, bias: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++) {
    const row = c + ldc * i;
    let j = 0;
    for (; j + 4 <= columns; j += 4) {
      const at = (<usize>j) << 2;
      v128.store(row + at, f32x4.add(v128.load(row + at), v128.load(bias + at)));
    }
    for (; j < columns; j++) {
      const at = (<usize>j) << 2;
      store<f32>(row + at, load<f32>(row + at) + load<f32>(bias + at));
    }
  }
}
