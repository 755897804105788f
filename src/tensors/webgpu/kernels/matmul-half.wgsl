// out[m, n] = scales[m] · Σ over k of a[m, k] · b[k, n], with b stored transposed or not, of factors in float16 that are
// read and kept in workgroup memory four numbers at a time; products and sums are in float32. `Four` and `wide`, which
// come before this text, are four numbers and these in float32. k is a multiple of 4, and so is n where b is not
// transposed. Tiles are as in `matmul.wgsl`.
override SIDE: u32 = 8u;
override TRANSPOSE_B: bool = false;
override BIAS: bool = false;

const DEPTH = 16u;
/// Fours of a tile's row that is as long as the tile is deep, and one more, so that rows lie in different banks.
const STEPS = DEPTH / 4u;
const STRIDE = STEPS + 1u;
override TILE: u32 = 4u * SIDE;
override COUNT: u32 = SIDE * SIDE;
override TILE_SIZE: u32 = TILE * STRIDE;

struct Params { m: u32, n: u32, k: u32, startOut: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Four>;
@group(0) @binding(2) var<storage, read> b: array<Four>;
@group(0) @binding(3) var<storage, read> scales: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;

/// [TILE][STRIDE].
var<workgroup> tileA: array<Four, TILE_SIZE>;
/// The same where b is transposed, else [DEPTH][SIDE].
var<workgroup> tileB: array<Four, TILE_SIZE>;

fn loadA(first: u32, depth: u32, lane: u32) {
  let width = params.k / 4u;
  for (var i = lane; i < TILE * STEPS; i += COUNT) {
    let m = first + i / STEPS;
    let k = depth / 4u + i % STEPS;
    var value = Four();
    if (m < params.m && k < width) { value = a[m * width + k]; }
    tileA[i / STEPS * STRIDE + i % STEPS] = value;
  }
}

fn loadB(first: u32, depth: u32, lane: u32) {
  if (TRANSPOSE_B) {
    let width = params.k / 4u;
    for (var i = lane; i < TILE * STEPS; i += COUNT) {
      let n = first + i / STEPS;
      let k = depth / 4u + i % STEPS;
      var value = Four();
      if (n < params.n && k < width) { value = b[n * width + k]; }
      tileB[i / STEPS * STRIDE + i % STEPS] = value;
    }
    return;
  }
  let width = params.n / 4u;
  for (var i = lane; i < DEPTH * SIDE; i += COUNT) {
    let k = depth + i / SIDE;
    let n = first / 4u + i % SIDE;
    var value = Four();
    if (k < params.k && n < width) { value = b[k * width + n]; }
    tileB[i] = value;
  }
}

@compute @workgroup_size(COUNT)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (params.n + TILE - 1u) / TILE;
  let down = (params.m + TILE - 1u) / TILE;
  let tile = flat(group, groups);
  if (tile >= across * down) { return; }
  let firstRow = tile / across * TILE;
  let firstColumn = (tile % across) * TILE;
  let y = lane / SIDE;
  let x = lane % SIDE;
  var sums: array<vec4f, 4>;
  for (var depth = 0u; depth < params.k; depth += DEPTH) {
    loadA(firstRow, depth, lane);
    loadB(firstColumn, depth, lane);
    workgroupBarrier();
    for (var step = 0u; step < STEPS; step++) {
      var right: array<vec4f, 4>;
      for (var j = 0u; j < 4u; j++) {
        let at = select((4u * step + j) * SIDE + x, (x + j * SIDE) * STRIDE + step, TRANSPOSE_B);
        right[j] = wide(tileB[at]);
      }
      for (var i = 0u; i < 4u; i++) {
        let left = wide(tileA[(y + i * SIDE) * STRIDE + step]);
        if (TRANSPOSE_B) {
          sums[i] += vec4f(dot(left, right[0]), dot(left, right[1]), dot(left, right[2]), dot(left, right[3]));
        } else {
          sums[i] += left.x * right[0] + left.y * right[1] + left.z * right[2] + left.w * right[3];
        }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let m = firstRow + y + i * SIDE;
    for (var j = 0u; j < 4u; j++) {
      let n = firstColumn + select(4u * x + j, x + j * SIDE, TRANSPOSE_B);
      if (m < params.m && n < params.n) {
        var value = sums[i][j] * scales[m];
        if (BIAS) { value += bias[n]; }
        out[params.startOut + m * params.n + n] = value;
      }
    }
  }
}
