// Sums of rows by an index, each by one invocation and in the order of the rows: atomic additions would be in any order.
struct Params { rows: u32, width: u32, targets: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
/// For each row the next one with the same index (or `rows`), and whether it is the first.
@group(0) @binding(2) var<storage, read_write> links: array<vec2u>;
@group(0) @binding(3) var<storage, read> updates: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(LANES)
fn link(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = element(group, groups, lane);
  if (row >= params.rows) { return; }
  let index = indices[row];
  var isFirst = 1u;
  for (var other = 0u; other < row; other++) {
    if (indices[other] == index) {
      isFirst = 0u;
      break;
    }
  }
  var next = row + 1u;
  while (next < params.rows && indices[next] != index) { next++; }
  links[row] = vec2u(next, isFirst);
}

@compute @workgroup_size(LANES)
fn add(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element(group, groups, lane);
  var row = i / params.width;
  let column = i % params.width;
  if (row >= params.rows || links[row].y == 0u || indices[row] >= params.targets) { return; }
  let place = indices[row] * params.width + column;
  var sum = 0.0;
  while (row < params.rows) {
    sum += updates[row * params.width + column];
    row = links[row].x;
  }
  out[place] = sum;
}
