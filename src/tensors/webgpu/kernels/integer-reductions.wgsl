// Each row of integers to one number, by `fn op(a: i32, b: i32) -> i32`, which comes before this text with `foldOfLanes`
// that lanes are put together by.
override FIRST: i32 = 0;

struct Params { rows: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<i32>;
@group(0) @binding(2) var<storage, read_write> out: array<i32>;

fn each(row: u32, lane: u32) {
  var value = FIRST;
  for (var i = lane; i < params.width; i += LANES) {
    value = op(value, x[row * params.width + i]);
  }
  let all = foldOfLanes(lane, value);
  if (lane == 0u) { out[row] = all; }
}
