// A product (`product.wgsl`) of factors of any width, which are read an element at a time. `numberOf`, which comes before
// this text, is an element of b.

override TILE_SIZE: u32 = TILE * DEPTH;

@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;

/// Both are [DEPTH][TILE].
var<workgroup> tileA: array<f32, TILE_SIZE>;
var<workgroup> tileB: array<f32, TILE_SIZE>;

fn loadA(batch: u32, first: u32, depth: u32, lane: u32) {
  for (var i = lane; i < TILE_SIZE; i += COUNT) {
    // neighbouring lanes read neighbouring elements
    let row = select(i / DEPTH, i % TILE, TRANSPOSE_A);
    let column = select(i % DEPTH, i / TILE, TRANSPOSE_A);
    let m = first + row;
    let k = depth + column;
    var value = 0.0;
    if (m < params.m && k < params.k) {
      value = a[params.startA + batch * params.batchA + select(m * params.k + k, k * params.m + m, TRANSPOSE_A)];
    }
    tileA[column * TILE + row] = value;
  }
}

fn loadB(batch: u32, first: u32, depth: u32, lane: u32) {
  for (var i = lane; i < TILE_SIZE; i += COUNT) {
    let row = select(i % TILE, i / DEPTH, TRANSPOSE_B);
    let column = select(i / TILE, i % DEPTH, TRANSPOSE_B);
    let n = first + row;
    let k = depth + column;
    var value = 0.0;
    if (n < params.n && k < params.k) {
      value = numberOf(batch * params.batchB + select(k * params.n + n, n * params.k + k, TRANSPOSE_B));
    }
    tileB[column * TILE + row] = value;
  }
}

@compute @workgroup_size(COUNT)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tileOf(flat(group, groups));
  if (tile.batch >= params.batches) { return; }
  let y = lane / SIDE;
  let x = lane % SIDE;
  var sums: array<vec4f, 4>;
  for (var depth = 0u; depth < params.k; depth += DEPTH) {
    loadA(tile.batch, tile.row, depth, lane);
    loadB(tile.batch, tile.column, depth, lane);
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let at = k * TILE;
      // a lane's columns are SIDE apart, so that neighbouring lanes read neighbouring elements
      let right = vec4f(tileB[at + x], tileB[at + x + SIDE], tileB[at + x + 2u * SIDE], tileB[at + x + 3u * SIDE]);
      for (var i = 0u; i < 4u; i++) {
        sums[i] += tileA[at + y + i * SIDE] * right;
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let m = tile.row + y + i * SIDE;
    for (var j = 0u; j < 4u; j++) {
      let n = tile.column + x + j * SIDE;
      if (m < params.m && n < params.n) {
        var value = sums[i][j];
        if (BIAS) { value += bias[n]; }
        out[params.startOut + (tile.batch * params.m + m) * params.n + n] = value;
      }
    }
  }
}
