// Where the largest or the smallest number of each row is: the first among equals. `Value`, the type of the numbers,
// `orderOf` and the constant SMALLEST come before this text.
struct Params { rows: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

/// A number's place in the order, and where it is.
var<workgroup> best: array<vec2u, LANES>;

fn better(a: vec2u, b: vec2u) -> vec2u {
  return select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y));
}

fn each(row: u32, lane: u32) {
  // a lane without numbers has the place after all
  var own = vec2u(0u, params.width);
  for (var i = lane; i < params.width; i += LANES) {
    let order = orderOf(x[row * params.width + i]);
    own = better(own, vec2u(select(order, ~order, SMALLEST), i));
  }
  best[lane] = own;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { best[lane] = better(best[lane], best[lane + half]); }
    workgroupBarrier();
  }
  if (lane == 0u) { out[row] = best[0].y; }
}
