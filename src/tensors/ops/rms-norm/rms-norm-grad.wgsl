// A workgroup for each row: dx = g · r − x · r³ · mean(g · x), with g = dy · weight and r = 1 / rms.
struct Params { rows: u32, width: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

fn each(row: u32, lane: u32) {
  let start = row * params.width;
  var squares = 0.0;
  var products = 0.0;
  for (var i = lane; i < params.width; i += LANES) {
    let value = x[start + i];
    squares += value * value;
    products += dy[start + i] * weight[i] * value;
  }
  let width = f32(params.width);
  let inverse = inverseSqrt(sumOfLanes(lane, squares) / width + params.epsilon);
  let mean = sumOfLanes(lane, products) / width;
  let share = mean * inverse * inverse * inverse;
  for (var i = lane; i < params.width; i += LANES) {
    out[start + i] = dy[start + i] * weight[i] * inverse - x[start + i] * share;
  }
}
