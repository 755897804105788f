// Pairs of numbers as the halves of a word, the first in the lower one, after `rounding.wgsl`.

/// Words, and numbers in them.
struct Params { size: u32, count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

fn rounded(i: u32) -> u32 {
  if (i >= params.count) { return 0u; }
  return halfOf(x[i]);
}

fn each(i: u32) {
  out[i] = rounded(2u * i) | (rounded(2u * i + 1u) << 16u);
}
