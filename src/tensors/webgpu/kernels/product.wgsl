// What kernels of tiled products share: out[b, m, n] = Σ over k of a[b, m, k] · b[b, k, n], with either factor stored
// transposed. A workgroup computes a tile of 4·SIDE × 4·SIDE elements, each lane 4 × 4 of them, from tiles of the factors
// in workgroup memory that are DEPTH deep.
override SIDE: u32 = 8u;
override TRANSPOSE_A: bool = false;
override TRANSPOSE_B: bool = false;
override BIAS: bool = false;

const DEPTH = 16u;
override TILE: u32 = 4u * SIDE;
override COUNT: u32 = SIDE * SIDE;

/// batchA and batchB: how far the matrices of two batches are apart, 0 where all batches share one; startA and startOut:
/// the element at which `a` and `out` begin. What is of a factor counts what its kernel reads at a time.
struct Params { m: u32, n: u32, k: u32, startA: u32, startOut: u32, batches: u32, batchA: u32, batchB: u32 }
@group(0) @binding(0) var<uniform> params: Params;

/// The tile of a workgroup: its batch, and its first row and column. From `params.batches` on there is none.
struct Tile { batch: u32, row: u32, column: u32 }
fn tileOf(number: u32) -> Tile {
  let across = (params.n + TILE - 1u) / TILE;
  let down = (params.m + TILE - 1u) / TILE;
  return Tile(number / (across * down), (number / across % down) * TILE, (number % across) * TILE);
}
