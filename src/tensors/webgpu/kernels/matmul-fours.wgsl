// A product (`product.wgsl`) of factors that are read and kept in workgroup memory four numbers at a time; products and
// sums are in float32. `Left`, `wideLeft`, `Right` and `wideRight`, which come before this text, are four numbers of a
// factor as they are kept, and in float32. What each factor's rows are as long as they are stored is a multiple of 4.
// Where SCALED, rows of the result are multiplied by scales[m].
override SCALED: bool = false;

/// Fours of a tile's row that is as long as the tile is deep, and one more, so that rows lie in different banks.
const STEPS = DEPTH / 4u;
const STRIDE = STEPS + 1u;
override TILE_SIZE: u32 = TILE * STRIDE;

@group(0) @binding(1) var<storage, read> a: array<Left>;
@group(0) @binding(2) var<storage, read> b: array<Right>;
@group(0) @binding(3) var<storage, read> scales: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;

/// Where fours go along the depth [TILE][STRIDE], else [DEPTH][SIDE].
var<workgroup> tileA: array<Left, TILE_SIZE>;
var<workgroup> tileB: array<Right, TILE_SIZE>;

fn loadA(start: u32, first: u32, depth: u32, lane: u32) {
  if (!TRANSPOSE_A) {
    let width = params.k / 4u;
    for (var i = lane; i < TILE * STEPS; i += COUNT) {
      let m = first + i / STEPS;
      let k = depth / 4u + i % STEPS;
      var value = Left();
      if (m < params.m && k < width) { value = a[start + m * width + k]; }
      tileA[i / STEPS * STRIDE + i % STEPS] = value;
    }
    return;
  }
  let width = params.m / 4u;
  for (var i = lane; i < DEPTH * SIDE; i += COUNT) {
    let k = depth + i / SIDE;
    let m = first / 4u + i % SIDE;
    var value = Left();
    if (k < params.k && m < width) { value = a[start + k * width + m]; }
    tileA[i] = value;
  }
}

fn loadB(start: u32, first: u32, depth: u32, lane: u32) {
  if (TRANSPOSE_B) {
    let width = params.k / 4u;
    for (var i = lane; i < TILE * STEPS; i += COUNT) {
      let n = first + i / STEPS;
      let k = depth / 4u + i % STEPS;
      var value = Right();
      if (n < params.n && k < width) { value = b[start + n * width + k]; }
      tileB[i / STEPS * STRIDE + i % STEPS] = value;
    }
    return;
  }
  let width = params.n / 4u;
  for (var i = lane; i < DEPTH * SIDE; i += COUNT) {
    let k = depth + i / SIDE;
    let n = first / 4u + i % SIDE;
    var value = Right();
    if (k < params.k && n < width) { value = b[start + k * width + n]; }
    tileB[i] = value;
  }
}

/// Row or column `i` of the four that a lane computes: neighbouring ones where the tile has fours of them.
fn placeOf(lane: u32, i: u32, fours: bool) -> u32 {
  return select(lane + i * SIDE, 4u * lane + i, fours);
}

@compute @workgroup_size(COUNT)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tileOf(flat(group, groups));
  if (tile.batch >= params.batches) { return; }
  let startA = params.startA + tile.batch * params.batchA;
  let startB = tile.batch * params.batchB;
  let y = lane / SIDE;
  let x = lane % SIDE;
  var sums: array<vec4f, 4>;
  for (var depth = 0u; depth < params.k; depth += DEPTH) {
    loadA(startA, tile.row, depth, lane);
    loadB(startB, tile.column, depth, lane);
    workgroupBarrier();
    for (var step = 0u; step < STEPS; step++) {
      // left[i]: of row i; right[j]: of column j, or all columns at depth j
      var left: mat4x4f;
      var right: mat4x4f;
      for (var i = 0u; i < 4u; i++) {
        left[i] = wideLeft(tileA[select((y + i * SIDE) * STRIDE + step, (4u * step + i) * SIDE + y, TRANSPOSE_A)]);
        right[i] = wideRight(tileB[select((4u * step + i) * SIDE + x, (x + i * SIDE) * STRIDE + step, TRANSPOSE_B)]);
      }
      if (TRANSPOSE_A) { left = transpose(left); }
      for (var i = 0u; i < 4u; i++) {
        if (TRANSPOSE_B) { sums[i] += left[i] * right; } else { sums[i] += right * left[i]; }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let m = tile.row + placeOf(y, i, TRANSPOSE_A);
    for (var j = 0u; j < 4u; j++) {
      let n = tile.column + placeOf(x, j, !TRANSPOSE_B);
      if (m < params.m && n < params.n) {
        var value = sums[i][j];
        if (SCALED) { value *= scales[m]; }
        if (BIAS) { value += bias[n]; }
        out[params.startOut + (tile.batch * params.m + m) * params.n + n] = value;
      }
    }
  }
}
