// Sums of squares of several tensors, whose bindings and function `value(tensor, i)` follow this text: a workgroup sums
// those elements of one tensor that lie as many lanes apart as the tensor has.
const TENSORS = 8u;

struct Params {
  rows: u32,
  /// Where this kernel's sums begin.
  first: u32,
  /// Of each tensor its elements, and how many workgroups it and those before it have.
  sizes: array<vec4u, TENSORS / 4u>,
  ends: array<vec4u, TENSORS / 4u>,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

fn each(number: u32, lane: u32) {
  var tensor = 0u;
  var before = 0u;
  for (; params.ends[tensor / 4u][tensor % 4u] <= number; tensor++) {
    before = params.ends[tensor / 4u][tensor % 4u];
  }
  let size = params.sizes[tensor / 4u][tensor % 4u];
  let stride = (params.ends[tensor / 4u][tensor % 4u] - before) * LANES;
  var sum = 0.0;
  for (var i = (number - before) * LANES + lane; i < size; i += stride) {
    let x = value(tensor, i);
    sum += x * x;
  }
  let total = sumOfLanes(lane, sum);
  if (lane == 0u) {
    sums[params.first + number] = total;
  }
}
