// Rows in float16, two numbers in a word, after `rounding.wgsl`. Each is multiplied by a power of two that brings its
// largest number to between 2^13 and 2^14: nothing overflows, and what is down to 2^-27 of the largest keeps its digits.
// `scales` is what undoes it; it is no number where the row has one that is not finite.

struct Params { rows: u32, width: u32, start: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
@group(0) @binding(3) var<storage, read_write> scales: array<f32>;

fn scaled(bits: u32, scale: f32) -> u32 {
  return halfOf(bitcast<u32>(bitcast<f32>(bits) * scale));
}

fn each(row: u32, lane: u32) {
  let first = params.start + row * params.width;
  var most = 0u;
  for (var i = lane; i < params.width; i += LANES) {
    most = max(most, x[first + i] & 0x7fffffffu);
  }
  // numbers without a sign are in the order of their bits
  let largest = mostOfLanes(lane, most);
  let exponent = clamp(largest >> 23u, 14u, 253u);
  let scale = bitcast<f32>((267u - exponent) << 23u);
  let words = params.width / 2u;
  for (var i = lane; i < words; i += LANES) {
    let at = first + 2u * i;
    out[row * words + i] = scaled(x[at], scale) | (scaled(x[at + 1u], scale) << 16u);
  }
  if (lane == 0u) {
    scales[row] = bitcast<f32>(select((exponent - 13u) << 23u, largest | 0x7fc00000u, largest >= 0x7f800000u));
  }
}
