// Where the largest or the smallest number of each row is: the first among equals. `Value`, the type of the numbers,
// `orderOf`, `bestOfLanes` and the constant SMALLEST come before this text.
struct Params { rows: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

/// Of two numbers, each its place in the order and where it is.
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
  let best = bestOfLanes(lane, own);
  if (lane == 0u) { out[row] = best.y; }
}
