// A function `op` of the numbers of two tensors, which comes before this text with their types `Value` and `Result`;
// both are repeated where they are narrower. The second may be a number, whose bits `low` are then.
override BY_NUMBER: bool = false;
/// Whether both have the shape of the result.
override IN_ONE_PIECE: bool = false;

struct Params {
  size: u32,
  rank: u32,
  low: i32,
  high: i32,
  shape: array<vec4u, 2>,
  stridesA: array<vec4u, 2>,
  stridesB: array<vec4u, 2>,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Value>;
@group(0) @binding(2) var<storage, read> b: array<Value>;
@group(0) @binding(3) var<storage, read_write> out: array<Result>;

fn each(i: u32) {
  if (IN_ONE_PIECE) {
    var same = bitcast<Value>(params.low);
    if (!BY_NUMBER) { same = b[i]; }
    out[i] = Result(op(a[i], same));
    return;
  }
  var rest = i;
  var left = 0u;
  var right = 0u;
  for (var d = params.rank - 1u; d > 0u; d--) {
    let length = params.shape[d / 4u][d % 4u];
    left += rest % length * params.stridesA[d / 4u][d % 4u];
    right += rest % length * params.stridesB[d / 4u][d % 4u];
    rest /= length;
  }
  var other = bitcast<Value>(params.low);
  if (!BY_NUMBER) { other = b[right + rest * params.stridesB[0].x]; }
  out[i] = Result(op(a[left + rest * params.stridesA[0].x], other));
}
