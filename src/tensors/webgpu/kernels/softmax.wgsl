// A workgroup for each row.
struct Params { rows: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn each(row: u32, lane: u32) {
  let start = row * params.width;
  var top = -3.4e38;
  for (var i = lane; i < params.width; i += LANES) {
    top = max(top, x[start + i]);
  }
  top = largestOfLanes(lane, top);
  var sum = 0.0;
  for (var i = lane; i < params.width; i += LANES) {
    sum += exp(x[start + i] - top);
  }
  let total = sumOfLanes(lane, sum);
  for (var i = lane; i < params.width; i += LANES) {
    out[start + i] = exp(x[start + i] - top) / total;
  }
}
