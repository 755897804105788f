// Running sums of integers [outer, length, inner]: an invocation goes over one line of them.
override EXCLUSIVE: bool = false;
override REVERSE: bool = false;

struct Params { size: u32, length: u32, inner: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<i32>;
@group(0) @binding(2) var<storage, read_write> out: array<i32>;

fn each(i: u32) {
  let start = i / params.inner * params.length * params.inner + i % params.inner;
  var sum = 0;
  for (var step = 0u; step < params.length; step++) {
    let at = start + select(step, params.length - 1u - step, REVERSE) * params.inner;
    let before = sum;
    sum += x[at];
    out[at] = select(sum, before, EXCLUSIVE);
  }
}
