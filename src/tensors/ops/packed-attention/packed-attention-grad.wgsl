// Gradients, after `attention.wgsl`: each is summed up by the workgroup that writes it, in an order that never changes.
struct Params { rows: u32, heads: u32, keyHeads: u32, window: u32, scale: f32, softCap: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> q: array<f32>;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
/// Two numbers for each query and head: its log-sum-exp, and Σ dy · out.
@group(0) @binding(5) var<storage, read> totals: array<vec2f>;
/// Where the sample of each position begins, and where it ends.
@group(0) @binding(6) var<storage, read> bounds: array<vec2u>;
@group(0) @binding(7) var<storage, read_write> dq: array<f32>;
@group(0) @binding(8) var<storage, read_write> dk: array<f32>;
@group(0) @binding(9) var<storage, read_write> dv: array<f32>;

/// Rows of this workgroup: queries and their dy, or keys and values.
var<workgroup> rowsA: array<f32, ROW_TILE>;
var<workgroup> rowsB: array<f32, ROW_TILE>;
/// What it goes over: keys and values, or queries and their dy.
var<workgroup> tileA: array<f32, KEY_TILE>;
var<workgroup> tileB: array<f32, KEY_TILE>;
var<workgroup> sharesA: array<f32, SCORES>;
var<workgroup> sharesB: array<f32, SCORES>;

/// The first key that a position sees.
fn firstSeen(position: u32) -> u32 {
  return firstInWindow(bounds[position].x, position + 1u, params.window);
}

fn dotOfRows(row: u32, other: u32) -> vec2f {
  var sums = vec2f();
  for (var d = 0u; d < DIM; d++) {
    sums.x += rowsA[row * STRIDE + d] * tileA[other * STRIDE + d];
    sums.y += rowsB[row * STRIDE + d] * tileB[other * STRIDE + d];
  }
  return sums;
}

@compute @workgroup_size(COUNT)
fn ofQueries(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let sharing = params.heads / params.keyHeads;
  let total = params.rows * sharing;
  let blocks = (total + ROWS - 1u) / ROWS;
  let number = flat(group, groups);
  if (number >= blocks * params.keyHeads) { return; }
  let keyHead = number % params.keyHeads;
  let first = (number / params.keyHeads) * ROWS;
  let last = min(first + ROWS, total) - 1u;
  let row = lane / SHARE;
  let part = lane % SHARE;
  let mine = min(first + row, last);
  let position = mine / sharing;
  let query = position * params.heads + keyHead * sharing + mine % sharing;
  let begin = firstSeen(position);
  for (var d = part; d < DIM; d += SHARE) {
    rowsA[row * STRIDE + d] = q[query * DIM + d];
    rowsB[row * STRIDE + d] = dy[query * DIM + d];
  }
  let known = totals[query];
  var sums: array<f32, SUMS>;
  let end = last / sharing + 1u;
  for (var key = firstSeen(first / sharing); key < end; key += KEYS) {
    workgroupBarrier();
    for (var i = lane; i < KEYS * DIM; i += COUNT) {
      let place = min(key + i / DIM, end - 1u);
      let source = (place * params.keyHeads + keyHead) * DIM + i % DIM;
      tileA[i / DIM * STRIDE + i % DIM] = k[source];
      tileB[i / DIM * STRIDE + i % DIM] = v[source];
    }
    workgroupBarrier();
    for (var j = part; j < KEYS; j += SHARE) {
      let place = key + j;
      var share = 0.0;
      if (place >= begin && place <= position) {
        let dots = dotOfRows(row, j);
        let score = capped(dots.x * params.scale, params.softCap);
        share = exp(score - known.x) * (dots.y - known.y) * slopeOfCap(score, params.softCap) * params.scale;
      }
      sharesA[row * KEYS + j] = share;
    }
    workgroupBarrier();
    for (var j = 0u; j < KEYS; j++) {
      let share = sharesA[row * KEYS + j];
      for (var d = part; d < DIM; d += SHARE) {
        sums[d / SHARE] += share * tileA[j * STRIDE + d];
      }
    }
  }
  if (first + row <= last) {
    for (var d = part; d < DIM; d += SHARE) {
      dq[query * DIM + d] = sums[d / SHARE];
    }
  }
}

@compute @workgroup_size(COUNT)
fn ofKeys(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let sharing = params.heads / params.keyHeads;
  let blocks = (params.rows + ROWS - 1u) / ROWS;
  let number = flat(group, groups);
  if (number >= blocks * params.keyHeads) { return; }
  let keyHead = number % params.keyHeads;
  let first = (number / params.keyHeads) * ROWS;
  let last = min(first + ROWS, params.rows) - 1u;
  let row = lane / SHARE;
  let part = lane % SHARE;
  let place = min(first + row, last);
  let key = (place * params.keyHeads + keyHead) * DIM;
  for (var d = part; d < DIM; d += SHARE) {
    rowsA[row * STRIDE + d] = k[key + d];
    rowsB[row * STRIDE + d] = v[key + d];
  }
  var sumsK: array<f32, SUMS>;
  var sumsV: array<f32, SUMS>;
  // queries that may see one of these keys, counted by position and head
  let end = min(last + params.window, bounds[last].y) * sharing;
  for (var next = first * sharing; next < end; next += KEYS) {
    workgroupBarrier();
    for (var i = lane; i < KEYS * DIM; i += COUNT) {
      let which = min(next + i / DIM, end - 1u);
      let query = (which / sharing) * params.heads + keyHead * sharing + which % sharing;
      tileA[i / DIM * STRIDE + i % DIM] = q[query * DIM + i % DIM];
      tileB[i / DIM * STRIDE + i % DIM] = dy[query * DIM + i % DIM];
    }
    workgroupBarrier();
    for (var j = part; j < KEYS; j += SHARE) {
      let which = next + j;
      let position = which / sharing;
      var weight = 0.0;
      var share = 0.0;
      if (which < end && place <= position && place >= firstSeen(position)) {
        let known = totals[position * params.heads + keyHead * sharing + which % sharing];
        let dots = dotOfRows(row, j);
        let score = capped(dots.x * params.scale, params.softCap);
        weight = exp(score - known.x);
        share = weight * (dots.y - known.y) * slopeOfCap(score, params.softCap) * params.scale;
      }
      sharesA[row * KEYS + j] = share;
      sharesB[row * KEYS + j] = weight;
    }
    workgroupBarrier();
    for (var j = 0u; j < KEYS; j++) {
      let share = sharesA[row * KEYS + j];
      let weight = sharesB[row * KEYS + j];
      for (var d = part; d < DIM; d += SHARE) {
        sumsK[d / SHARE] += share * tileA[j * STRIDE + d];
        sumsV[d / SHARE] += weight * tileB[j * STRIDE + d];
      }
    }
  }
  if (first + row <= last) {
    for (var d = part; d < DIM; d += SHARE) {
      dk[key + d] = sumsK[d / SHARE];
      dv[key + d] = sumsV[d / SHARE];
    }
  }
}
