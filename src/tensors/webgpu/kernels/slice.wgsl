// A part of a tensor that lies in one piece: an invocation for each element, whose four bytes are moved as they are.
struct Params { size: u32, begin: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element(group, groups, lane);
  if (i < params.size) { out[i] = x[params.begin + i]; }
}
