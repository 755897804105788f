// Each row of integers to one number, by `fn op(a: i32, b: i32) -> i32`, which comes before this text.
override FIRST: i32 = 0;

struct Params { rows: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<i32>;
@group(0) @binding(2) var<storage, read_write> out: array<i32>;

var<workgroup> parts: array<i32, LANES>;

fn each(row: u32, lane: u32) {
  var value = FIRST;
  for (var i = lane; i < params.width; i += LANES) {
    value = op(value, x[row * params.width + i]);
  }
  parts[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { parts[lane] = op(parts[lane], parts[lane + half]); }
    workgroupBarrier();
  }
  if (lane == 0u) { out[row] = parts[0]; }
}
