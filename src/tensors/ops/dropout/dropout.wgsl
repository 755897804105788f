// An invocation for each element; the hash is that of `dropoutBits`.
struct Params { size: u32, width: u32, seed: u32, limit: u32, spread: u32, first: u32, second: u32, scale: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> names: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn each(i: u32) {
  let column = i % params.width;
  var hash = (column * params.spread) ^ (params.seed ^ names[i / params.width]);
  hash = (hash ^ (hash >> 16u)) * params.first;
  hash = (hash ^ (hash >> 15u)) * params.second;
  hash ^= hash >> 16u;
  out[i] = select(0.0, x[i] * params.scale, hash >= params.limit);
}
