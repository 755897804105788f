// A workgroup for each row of logits: those of its own columns, and last the log-sum-exp of all, in one pass with a
// running maximum.
struct Params { rows: u32, width: u32, count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> columns: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn each(row: u32, lane: u32) {
  let start = row * params.width;
  let place = row * (params.count + 1u);
  for (var i = lane; i < params.count; i += LANES) {
    out[place + i] = logits[start + columns[row * params.count + i]];
  }
  let total = logSumExpOfRow(start, params.width, lane);
  if (lane == 0u) { out[place + params.count] = total; }
}

fn logSumExpOfRow(start: u32, width: u32, lane: u32) -> f32 {
  var top = -3.4e38;
  var sum = 0.0;
  var broken = 0.0;
  for (var i = lane; i < width; i += LANES) {
    let value = logits[start + i];
    if (isBroken(value)) {
      // −∞ is a token that cannot follow
      if (bitcast<u32>(value) != 0xff800000u) { broken = 1.0; }
      continue;
    }
    if (value > top) {
      sum *= exp(top - value);
      top = value;
    }
    sum += exp(value - top);
  }
  let highest = largestOfLanes(lane, top);
  let total = highest + log(sumOfLanes(lane, sum * exp(top - highest)));
  var bits = bitcast<u32>(total);
  if (sumOfLanes(lane, broken) > 0.0) { bits = 0x7fc00000u; }
  return bitcast<f32>(bits);
}
