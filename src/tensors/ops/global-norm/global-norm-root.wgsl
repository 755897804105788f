// The root of the sum of numbers: one row of them.
struct Params { rows: u32, size: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn each(row: u32, lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < params.size; i += LANES) {
    sum += sums[i];
  }
  let total = sumOfLanes(lane, sum);
  if (lane == 0u) {
    out[row] = sqrt(total);
  }
}
