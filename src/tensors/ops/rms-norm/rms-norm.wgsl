// A workgroup for each row.
struct Params { rows: u32, width: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn each(row: u32, lane: u32) {
  let start = row * params.width;
  var squares = 0.0;
  for (var i = lane; i < params.width; i += LANES) {
    squares += x[start + i] * x[start + i];
  }
  let inverse = inverseSqrt(sumOfLanes(lane, squares) / f32(params.width) + params.epsilon);
  for (var i = lane; i < params.width; i += LANES) {
    out[start + i] = x[start + i] * inverse * weight[i];
  }
}
